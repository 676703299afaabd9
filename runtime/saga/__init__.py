"""
Long processes with undo: each ends completed or undone, whatever dies on the way.

A process is a row in its domain's schema. Whoever holds the row's lease runs it; when the holder is gone, the next one
runs it again from what the row says. Steps are therefore idempotent by key, and progress need not be written between
two forward steps that would simply be run again.
"""
