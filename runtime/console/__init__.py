"""Whoever works for the shop sees every record from one sign-in, and changes any only through its domain's service."""
