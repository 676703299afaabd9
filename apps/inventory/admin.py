"""The console's pages of inventory: none yet."""
