"""
No contract breaks unnoticed: each change of what crosses gets a verdict before it is merged.

``snapshot(contract)`` is a contract as others see it (events, values, methods and errors, as JSON Schema);
``compare(domain, old, new)`` says of each difference between two of them whether those who rely on the old one can go
on. It knows nothing of what a field means: the same field with another meaning is a change that only people can see.
"""

from runtime.compatibility.comparison import compare
from runtime.compatibility.snapshots import EMPTY, Contract, Snapshot, snapshot, text_of
from runtime.compatibility.verdicts import Difference, Verdict

__all__ = ["EMPTY", "Contract", "Difference", "Snapshot", "Verdict", "compare", "snapshot", "text_of"]
