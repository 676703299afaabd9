"""What an order costs, and how that compares with PostgreSQL writing the same rows and nothing else: `make bench`."""
