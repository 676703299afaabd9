"""
Append-only streams of events: what was written stays as it was, in one unbroken order for each stream.
"""
