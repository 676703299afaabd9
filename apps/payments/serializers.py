"""Payments' HTTP shapes."""

from __future__ import annotations

from typing import Any

from apps.payments.models import Payment, Refund
from runtime.http.serializers import FlagField, IdField, MomentField, MoneyField, StrictSerializer, TextField


class AttemptSerializer(StrictSerializer):
    """One question to the provider. ``outcome`` is null while nothing is known to have come back."""

    action = TextField()
    outcome = TextField(allow_null=True)
    started_at = MomentField()
    ended_at = MomentField(allow_null=True)


class RefundSerializer(StrictSerializer):
    """``done`` is false while the provider has not confirmed it; it is asked until it does."""

    id = IdField()
    amount = MoneyField()
    reason = TextField()
    done = FlagField()
    created_at = MomentField()


class NewRefundSerializer(StrictSerializer):
    amount = MoneyField(minimum="0.01")
    reason = TextField(max_length=200)


class PaymentSerializer(StrictSerializer):
    id = IdField()
    order_id = IdField()
    amount = MoneyField()
    status = TextField()
    reason = TextField(allow_null=True)
    provider = TextField()
    attempts = AttemptSerializer(many=True)
    refunds = RefundSerializer(many=True)
    created_at = MomentField()


def payment_shape(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "order_id": payment.order_id,
        "amount": payment.money,
        "status": payment.status,
        "reason": payment.reason,
        "provider": payment.provider,
        "attempts": list(payment.attempts.all()),
        "refunds": [refund_shape(row) for row in payment.refunds.all()],
        "created_at": payment.created_at,
    }


def refund_shape(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "amount": refund.money,
        "reason": refund.reason,
        "done": refund.done_at is not None,
        "created_at": refund.created_at,
    }
