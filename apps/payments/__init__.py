"""Money: taken once for a key, given back once, and never guessed about."""
