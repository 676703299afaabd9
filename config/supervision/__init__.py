"""Starts all processes, keeps them running, and stops them in order: what `make up` does."""
