"""A neighbour that is slow or gone costs a bounded part of this process, for a bounded time."""

from runtime.resilience.breaker import BreakerOpen, Standing, State, Verdict
from runtime.resilience.bulkhead import Bulkhead, BulkheadFull
from runtime.resilience.guard import Guard
from runtime.resilience.policy import BadPolicy, CalleePolicy, MethodPolicy

__all__ = [
    "BadPolicy",
    "BreakerOpen",
    "Bulkhead",
    "BulkheadFull",
    "CalleePolicy",
    "Guard",
    "MethodPolicy",
    "Standing",
    "State",
    "Verdict",
]
