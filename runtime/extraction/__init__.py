"""A schema moves from one database to another: fenced where it was, compared row by row, whole in one of the two."""
