"""PostgreSQL and Valkey run out of the installed packages, below one state directory, and stop without a trace."""
