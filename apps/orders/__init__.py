"""An order, from the first click to the last parcel."""
