"""Who works for a domain is heard of every few seconds, where the domain's own database is; who is not is missed."""
