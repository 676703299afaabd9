"""Payments' HTTP shapes."""

from __future__ import annotations

from typing import Any

from apps.payments.models import Movement, Payment
from contracts._base import Money
from runtime.http.serializers import IdField, MomentField, MoneyField, StrictSerializer, TextField


class AttemptSerializer(StrictSerializer):
    """One question to the provider. ``outcome`` is null while nothing is known to have come back."""

    action = TextField()
    outcome = TextField(allow_null=True)
    started_at = MomentField()
    ended_at = MomentField(allow_null=True)


class RefundSerializer(StrictSerializer):
    id = IdField()
    amount = MoneyField()
    reason = TextField()
    created_at = MomentField()


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
    refunds = [
        {
            "id": row.id,
            "amount": Money(row.amount, payment.currency),
            "reason": row.reason,
            "created_at": row.made_at,
        }
        for row in payment.movements.all()
        if row.kind == Movement.REFUND
    ]
    return {
        "id": payment.id,
        "order_id": payment.order_id,
        "amount": payment.money,
        "status": payment.status,
        "reason": payment.reason,
        "provider": payment.provider,
        "attempts": list(payment.attempts.all()),
        "refunds": refunds,
        "created_at": payment.created_at,
    }
