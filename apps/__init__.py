"""The domains. All of one shape; none imports another."""
