"""A neighbour that is slow or gone costs a bounded part of this process, for a bounded time."""

from runtime.resilience.bulkhead import Bulkhead

__all__ = ["Bulkhead"]
