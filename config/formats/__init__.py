"""How values are written on pages: one language, whose formats stand in its folder."""
