"""
Who reacts to what, in one table.

The relay sends only what somebody here subscribes to, and each queue is bound to its row. What a domain then does
stands in its handlers.py; ``manage.py check`` compares the two.
"""

from __future__ import annotations

from contracts import inventory, orders, payments, users
from contracts._base import Event

SUBSCRIPTIONS: dict[str, tuple[type[Event], ...]] = {
    "users": (),
    "inventory": (orders.OrderShipped,),
    "payments": (),
    # A payment that settles later wakes the order that waits for it.
    "orders": (payments.PaymentCaptured, payments.PaymentFailed),
}

EVENTS: tuple[type[Event], ...] = (
    users.UserRegistered,
    users.UserUpdated,
    users.UserDeactivated,
    users.UserErased,
    orders.OrderCreated,
    orders.OrderConfirmed,
    orders.OrderCancelled,
    orders.OrderShipped,
    orders.OrderDelivered,
    inventory.InventoryUpdated,
    inventory.InventoryReserved,
    inventory.InventoryReleased,
    inventory.InventoryInsufficient,
    payments.PaymentAuthorized,
    payments.PaymentCaptured,
    payments.PaymentFailed,
    payments.PaymentVoided,
    payments.PaymentRefunded,
)
"""The catalogue: every event there is."""
