"""Payments as orders asks them, and what is written down of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

from apps.payments.models import LedgerLine, Movement, Payment, SandboxCharge, SandboxRefund
from apps.payments.service import Payments
from contracts._base import Money
from runtime.messaging.models import OutboxMessage


def pounds(text: str) -> Money:
    return Money(Decimal(text), "GBP")


class Till:
    """Payments, asked as orders asks them, and what is written down of them."""

    def __init__(self, service: Payments) -> None:
        self.service = service
        self.order_id, self.user_id = uuid4(), uuid4()
        self.key = f"{self.order_id}:charge"

    def charge(self, method: str = "pm_card_visa", amount: str = "25.00", **more: Any) -> Any:
        words = {"key": self.key, "order_id": self.order_id, "user_id": self.user_id, **more}
        return self.service.charge(amount=pounds(amount), method=method, **words)

    def capture(self) -> Any:
        return self.service.capture(key=self.key)

    def inquire(self) -> Any:
        return self.service.inquire(key=self.key)

    def void(self) -> Any:
        return self.service.void(key=self.key, order_id=self.order_id)

    @property
    def row(self) -> Payment:
        return Payment.objects.using("payments").get(key=self.key)

    @property
    def moved(self) -> list[tuple[str, str]]:
        """Kind and amount of each movement, in order."""
        rows = Movement.objects.using("payments").filter(payment__key=self.key).order_by("made_at")
        return [(row.kind, str(row.amount)) for row in rows]

    @property
    def told(self) -> list[str]:
        rows = OutboxMessage.objects.using("payments").filter(data__orderId=str(self.order_id)).order_by("sequence")
        return [row.event_type for row in rows]

    @property
    def asked(self) -> list[tuple[str, str | None]]:
        """What the provider was asked, and what came of it."""
        return [(row.action, row.outcome) for row in self.row.attempts.using("payments").order_by("id")]

    @property
    def ledger(self) -> list[tuple[str, str, str]]:
        rows = LedgerLine.objects.using("payments").filter(movement__payment__key=self.key).order_by("id")
        return [(row.account, str(row.debit), str(row.credit)) for row in rows]

    def sandbox(self) -> tuple[str | None, list[str]]:
        """The sandbox's own books: the charge's state, and its refunds."""
        charge = SandboxCharge.objects.using("payments").filter(pk=self.key).first()
        refunds = SandboxRefund.objects.using("payments").filter(charge_id=self.key).order_by("created_at")
        return (charge.state if charge else None, [str(row.amount) for row in refunds])
