"""Accounts, sign-in and roles: the one domain that knows anything personal, and the only one that signs tokens."""
