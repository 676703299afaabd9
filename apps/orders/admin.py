"""The console's pages of orders: none yet."""
