"""The console's pages of users: none yet."""
