"""What one domain may know of another: values, errors, events and promises, in plain Python."""
