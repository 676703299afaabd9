"""A request that is sent twice under one key has its effect once, and gets the first answer both times."""
