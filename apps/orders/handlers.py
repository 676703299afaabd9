"""What orders does when another domain announces something."""

from __future__ import annotations

from apps.orders.service import SERVICE
from contracts.payments import PaymentCaptured, PaymentFailed
from runtime.messaging import Handlers


def payment_settled(event: PaymentCaptured | PaymentFailed) -> None:
    SERVICE.payment_settled(order_id=event.order_id)


HANDLERS = Handlers({PaymentCaptured: payment_settled, PaymentFailed: payment_settled})
