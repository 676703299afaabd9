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
    "inventory": (orders.OrderShipped, orders.OrderReturned),
    # What operators wrote about somebody's refunds is forgotten with them.
    "payments": (users.UserErased,),
    # A payment that settles later wakes the order that waits for it; what was given back is booked on the order. Notes
    # are forgotten with whom they are about.
    "orders": (
        payments.PaymentAuthorized,
        payments.PaymentCaptured,
        payments.PaymentFailed,
        payments.PaymentRefunded,
        users.UserErased,
    ),
}

EVENTS: tuple[type[Event], ...] = (
    users.UserRegistered,
    users.UserUpdated,
    users.UserDeactivated,
    users.UserErased,
    orders.OrderCreated,
    orders.OrderConfirmed,
    orders.OrderCancelled,
    orders.OrderPacked,
    orders.OrderUnpaid,
    orders.OrderShipped,
    orders.OrderDelivered,
    orders.OrderReturned,
    inventory.InventoryUpdated,
    inventory.InventoryReserved,
    inventory.InventoryReleased,
    inventory.InventoryInsufficient,
    inventory.InventoryLow,
    payments.PaymentAuthorized,
    payments.PaymentCaptured,
    payments.PaymentFailed,
    payments.PaymentVoided,
    payments.PaymentRefunded,
)
"""The catalogue: every event there is."""
