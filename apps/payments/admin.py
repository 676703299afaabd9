"""The console's pages of payments: none yet."""
