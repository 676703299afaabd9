"""A payment provider that the tests own: its journal is the truth about the money, and it misbehaves as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from apps.payments import gateways
from apps.payments.gateways import (
    AUTHORIZED,
    CANCELLED,
    CAPTURED,
    PENDING,
    Answer,
    BadWebhook,
    Entry,
    EntryPage,
    ProviderSilent,
    RefundAnswer,
    Repayment,
    Webhook,
)
from contracts._base import Money


@dataclass
class Charge:
    amount: Money
    state: str = CAPTURED
    refunds: dict[str, Money] = field(default_factory=dict)


class Provider:
    """
    ``misbehave["charge"]`` and so on hold what happens at the next calls: ``before`` (silent, nothing done), ``after``
    (done, and silent), an exception, or a function of the honest answer. ``settles`` is the state of a new charge.
    ``prepares``: its reference is known only once it was asked for.
    """

    name = "testers"

    def __init__(self) -> None:
        self.charges: dict[str, Charge] = {}
        self.misbehave: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.timeouts: list[float] = []
        self.settles = CAPTURED
        self.prepares = False
        self.numbers: list[int] = []
        self.listed: list[Entry] = []
        self._lock = threading.RLock()

    # --- What the tests look at -------------------------------------------------------------------------------------

    def net(self) -> Decimal:
        """What the provider holds of our customers' money."""
        captured = [charge for charge in self.charges.values() if charge.state == CAPTURED]
        given_back = [amount for charge in captured for amount in charge.refunds.values()]
        return sum((c.amount.amount for c in captured), Decimal(0)) - sum((m.amount for m in given_back), Decimal(0))

    def times(self, question: str) -> int:
        return sum(name == question for name, _ in self.asked)

    # --- The Gateway protocol ---------------------------------------------------------------------------------------

    def reference_of(self, *, key: str) -> str:
        return "" if self.prepares else f"ch_{key}"

    def prepare(self, charge: gateways.Charge, *, timeout: float) -> Answer:
        def prepare() -> Answer:
            nothing = Money(Decimal("0.00"), charge.amount.currency)
            return Answer(state=gateways.PREPARED, reference=f"ch_{charge.key}", amount=charge.amount, refunded=nothing)

        return self._do("prepare", charge.key, prepare, timeout)

    def charge(self, charge: gateways.Charge, *, timeout: float) -> Answer:
        def take() -> Answer:
            state = AUTHORIZED if charge.hold and self.settles == CAPTURED else self.settles
            return self._answer(charge.key, self.charges.setdefault(charge.key, Charge(charge.amount, state)))

        assert charge.reference == f"ch_{charge.key}"
        return self._do("charge", charge.key, take, timeout)

    def look_up(self, charge: gateways.Charge, *, timeout: float) -> Answer | None:
        return self._do("look_up", charge.key, lambda: self._answer(charge.key, self.charges.get(charge.key)), timeout)

    def capture(self, charge: gateways.Charge, *, timeout: float) -> Answer:
        def capture() -> Answer:
            known = self.charges[charge.key]
            if known.state == AUTHORIZED:
                known.state = CAPTURED
            return self._answer(charge.key, known)

        return self._do("capture", charge.key, capture, timeout)

    def cancel(self, charge: gateways.Charge, *, timeout: float) -> Answer:
        def cancel() -> Answer:
            known = self.charges.setdefault(charge.key, Charge(charge.amount, PENDING))
            if known.state in {PENDING, AUTHORIZED}:
                known.state = CANCELLED
            return self._answer(charge.key, known)

        return self._do("cancel", charge.key, cancel, timeout)

    def refund(self, repayment: Repayment, *, timeout: float) -> RefundAnswer:
        key, amount = repayment.key, repayment.amount

        def give_back() -> RefundAnswer:
            charge = self.charges[repayment.charge_key]
            assert charge.state == CAPTURED, "a refund of what was never captured"
            charge.refunds.setdefault(key, amount)
            assert sum(m.amount for m in charge.refunds.values()) <= charge.amount.amount, "more than was captured"
            return RefundAnswer(state=RefundAnswer.DONE, reference=f"re_{key}", amount=amount)

        self.numbers.append(repayment.number)
        return self._do("refund", key, give_back, timeout)

    def entries(self, *, after: str | None, limit: int, timeout: float) -> EntryPage:
        return self._do("entries", "", lambda: EntryPage(items=tuple(self.listed), next=None), timeout)

    def read_webhook(self, *, body: bytes, headers: Mapping[str, str]) -> Webhook:
        if headers.get("Signature") != "good":
            raise BadWebhook("the signature is not the provider's")
        return Webhook(event_id=headers["Event"], key=body.decode())

    # --- Inside -----------------------------------------------------------------------------------------------------

    def _do(self, question: str, key: str, work: Callable[[], Any], timeout: float) -> Any:
        with self._lock:
            self.asked.append((question, key))
            self.timeouts.append(timeout)
            planned = self.misbehave.get(question) or [None]
            how = planned.pop(0)
        if how == "before":
            raise ProviderSilent
        if isinstance(how, Exception):
            raise how
        with self._lock:
            answer = work()
        if how == "after":
            raise ProviderSilent
        return how(answer) if callable(how) else answer

    def _answer(self, key: str, charge: Charge | None) -> Any:
        if charge is None:
            return None
        refunded = sum((m.amount for m in charge.refunds.values()), Decimal("0.00"))
        return Answer(
            state=charge.state,
            reference=f"ch_{key}",
            amount=charge.amount,
            refunded=Money(refunded, charge.amount.currency),
        )
