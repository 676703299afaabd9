"""A domain moves to a database of its own and back, with the processes that host it."""
