"""What orders does when another domain announces something."""

from __future__ import annotations

from apps.orders.service import SERVICE
from contracts.payments import PaymentAuthorized, PaymentCaptured, PaymentFailed, PaymentRefunded
from contracts.users import UserErased
from runtime.messaging import Handlers


def payment_settled(event: PaymentAuthorized | PaymentCaptured | PaymentFailed) -> None:
    SERVICE.payment_settled(order_id=event.order_id)


def payment_refunded(event: PaymentRefunded) -> None:
    SERVICE.refund_booked(order_id=event.order_id, refund_id=event.refund_id, amount=event.amount)


def user_erased(event: UserErased) -> None:
    SERVICE.forget_user(user_id=event.user_id)


HANDLERS = Handlers(
    {
        PaymentAuthorized: payment_settled,
        PaymentCaptured: payment_settled,
        PaymentFailed: payment_settled,
        PaymentRefunded: payment_refunded,
        UserErased: user_erased,
    }
)
