"""
One domain calls another as if it were far away, wherever it is.

``resolve(INVENTORY)`` gives an object that keeps the Protocol's promise. A call copies its values, carries a deadline,
answers with typed errors only, and refuses to wait inside an open transaction, also when both sides share a process.
"""

from runtime.calls.context import Call, Lease, call, current_call
from runtime.calls.manners import BrokenService, CallInsideTransaction, CrashedService
from runtime.calls.routing import resolve

__all__ = [
    "BrokenService",
    "Call",
    "CallInsideTransaction",
    "CrashedService",
    "Lease",
    "call",
    "current_call",
    "resolve",
]
