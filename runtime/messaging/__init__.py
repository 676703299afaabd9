"""
Events leave with the transaction that made them true, and have exactly one effect on each consumer.

Delivery is at least once. ``publish`` writes the outbox; a relay sends; an inbox in each consumer's schema sees to it
that the second copy does nothing.
"""

from runtime.messaging.outbox import publish
from runtime.messaging.subscriptions import Handlers

__all__ = ["Handlers", "publish"]
