"""What orders does when another domain announces something."""

from __future__ import annotations

from apps.orders.service import SERVICE
from contracts.payments import PaymentCaptured, PaymentFailed, PaymentRefunded
from runtime.messaging import Handlers


def payment_settled(event: PaymentCaptured | PaymentFailed) -> None:
    SERVICE.payment_settled(order_id=event.order_id)


def payment_refunded(event: PaymentRefunded) -> None:
    SERVICE.refund_booked(order_id=event.order_id, refund_id=event.refund_id, amount=event.amount)


HANDLERS = Handlers(
    {
        PaymentCaptured: payment_settled,
        PaymentFailed: payment_settled,
        PaymentRefunded: payment_refunded,
    }
)
