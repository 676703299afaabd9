"""Each domain has an alias, a schema and two roles of its own name, and no query can stray into a neighbour's."""
