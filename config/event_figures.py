"""What the shop's events count: orders by status, payments by result, stock that was refused."""

from __future__ import annotations

from collections.abc import Mapping

from contracts import inventory, orders, payments
from runtime.messaging.counting import EventFigure
from runtime.telemetry.metrics import Counter

_ORDERS = Counter(
    "mitosis_orders",
    "Orders that came to a status, by status and, of cancelled and unpaid ones, the reason; returns one by one.",
    ["status", "reason"],
)
_PAYMENTS = Counter(
    "mitosis_payments",
    "Payments that came to a result, by result and, of failed ones, the reason; refunds one by one.",
    ["result", "reason"],
)
_REFUSALS = Counter("mitosis_stock_refusals", "Orders that were refused because stock was short.")
_LOW = Counter("mitosis_stock_low", "How often a product's stock came to be low.")

EVENT_FIGURES: Mapping[str, EventFigure] = {
    orders.OrderCreated.name: EventFigure(counter=_ORDERS, labels=("pending", "")),
    orders.OrderConfirmed.name: EventFigure(counter=_ORDERS, labels=("confirmed", "")),
    orders.OrderCancelled.name: EventFigure(counter=_ORDERS, labels=("cancelled", "{reason}")),
    orders.OrderUnpaid.name: EventFigure(counter=_ORDERS, labels=("unpaid", "{reason}")),
    orders.OrderShipped.name: EventFigure(counter=_ORDERS, labels=("shipped", "")),
    orders.OrderDelivered.name: EventFigure(counter=_ORDERS, labels=("delivered", "")),
    orders.OrderReturned.name: EventFigure(counter=_ORDERS, labels=("returned", "")),
    payments.PaymentAuthorized.name: EventFigure(counter=_PAYMENTS, labels=("authorized", "")),
    payments.PaymentCaptured.name: EventFigure(counter=_PAYMENTS, labels=("captured", "")),
    payments.PaymentFailed.name: EventFigure(counter=_PAYMENTS, labels=("failed", "{reason}")),
    payments.PaymentVoided.name: EventFigure(counter=_PAYMENTS, labels=("voided", "")),
    payments.PaymentRefunded.name: EventFigure(counter=_PAYMENTS, labels=("refunded", "")),
    inventory.InventoryInsufficient.name: EventFigure(counter=_REFUSALS),
    inventory.InventoryLow.name: EventFigure(counter=_LOW),
}
