"""
The tester's payment provider. It keeps apps.payments.gateways.Gateway's promise, and misbehaves as far as that allows.

Its journal is the truth about the money: what it took, held and gave back, whatever it answered.
"""

from __future__ import annotations

import datetime as dates
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.payments import gateways
from apps.payments.gateways import (
    AUTHORIZED,
    CANCELLED,
    CAPTURED,
    DECLINED,
    PENDING,
    PREPARED,
    Answer,
    Entry,
    EntryPage,
    ProviderFailed,
    ProviderSilent,
    RefundAnswer,
    Repayment,
    Webhook,
)
from contracts._base import Money
from runtime.databases.transactions import open_transactions

METHODS: Mapping[str, tuple[str, str]] = {
    "pm_good": (CAPTURED, ""),
    "pm_declined": (DECLINED, "payment_declined"),
    "pm_poor": (DECLINED, "insufficient_funds"),
    "pm_settles": (PENDING, CAPTURED),
    "pm_settles_not": (PENDING, DECLINED),
}
"""By payment method: the state of a new charge, and why it was declined, or what it settles as."""


@dataclass
class Charge:
    """``settles`` is when it turns into what, by itself; ``hidden_until`` is how long nothing is known of it."""

    order_id: UUID
    amount: Money
    method: str
    hold: bool
    state: str = PREPARED
    reason: str = ""
    settles: tuple[float, str] | None = None
    hidden_until: float = 0.0
    lapsed: bool = False
    refunds: dict[tuple[str, int], tuple[Money, dates.datetime]] = field(default_factory=dict)
    pending_refunds: dict[str, float] = field(default_factory=dict)
    failing_refunds: dict[str, int] = field(default_factory=dict)
    captured_at: dates.datetime | None = None

    @property
    def refunded(self) -> Decimal:
        return sum((amount.amount for amount, _ in self.refunds.values()), Decimal("0.00"))


@dataclass(eq=False)
class Letter:
    """A webhook that is on its way."""

    event_id: str
    key: str
    due: float


class Provider:
    """One for each run."""

    name = "testers"

    def __init__(self, world: Any) -> None:
        self._world = world
        self._dice = world.dice
        self.prepares = world.dice.chance(0.5)
        self.charges: dict[str, Charge] = {}
        self.letters: list[Letter] = []
        self._events = 0
        self._kept: set[tuple[str, str, int]] = set()

    # --- The Gateway protocol ---------------------------------------------------------------------------------------

    def reference_of(self, *, key: str) -> str:
        return "" if self.prepares else f"ch_{key}"

    def prepare(self, charge: gateways.Charge, *, timeout: float) -> Answer:
        self._ask("prepare", charge.key, charge.number, lambda: self._known(charge))
        return self._answer(charge, PREPARED)

    def charge(self, charge: gateways.Charge, *, timeout: float) -> Answer:
        return self._answer(charge, self._ask("charge", charge.key, charge.number, lambda: self._take(charge)))

    def look_up(self, charge: gateways.Charge, *, timeout: float) -> Answer | None:
        known = self._ask("look_up", charge.key, charge.number, lambda: self._known(charge))
        if self._dice.fault("provider knows nothing for a while"):
            known.hidden_until = self._world.now + self._dice.between(2, 20)
        if known.hidden_until > self._world.now and not self._dice.faults_are_over:
            raise ProviderSilent("it says that it has never heard of it")
        return None if known.state == PREPARED else self._answer(charge, known.state)

    def capture(self, charge: gateways.Charge, *, timeout: float) -> Answer:
        return self._answer(charge, self._ask("capture", charge.key, charge.number, lambda: self._capture(charge)))

    def cancel(self, charge: gateways.Charge, *, timeout: float) -> Answer:
        return self._answer(charge, self._ask("cancel", charge.key, charge.number, lambda: self._cancel(charge)))

    def refund(self, repayment: Repayment, *, timeout: float) -> RefundAnswer:
        state = self._ask("refund", repayment.key, repayment.number, lambda: self._give_back(repayment))
        return RefundAnswer(state=state, reference=f"re_{repayment.key}", amount=repayment.amount)

    def entries(self, *, after: str | None, limit: int, timeout: float) -> EntryPage:
        found: list[Entry] = []
        for key, charge in self.charges.items():
            if charge.captured_at is not None:
                found.append(_entry(f"ch_{key}", key, "capture", charge.amount, charge.captured_at))
            for (refund_key, _), (amount, at) in charge.refunds.items():
                found.append(_entry(f"re_{refund_key}", refund_key, "refund", amount, at))
        return EntryPage(items=tuple(found), next=None)

    def read_webhook(self, *, body: bytes, headers: Mapping[str, str]) -> Webhook:
        return Webhook(event_id=headers["Event"], key=body.decode())

    # --- What comes due by itself -----------------------------------------------------------------------------------

    def settle(self) -> None:
        """Whatever is due by now happens at the provider."""
        for key, charge in self.charges.items():
            if charge.settles is not None and (charge.settles[0] <= self._world.now or self._dice.faults_are_over):
                _, state = charge.settles
                charge.settles = None
                self._become(key, charge, AUTHORIZED if state == CAPTURED and charge.hold else state)
                self._world.tell("provider", f"{key} settles by itself: {charge.state}")

    def due_letter(self) -> Letter | None:
        """The webhook to be sent next."""
        due = (one for one in self.letters if one.due <= self._world.now or self._dice.faults_are_over)
        return next(due, None)

    def is_quiet(self) -> bool:
        return not self.letters and all(charge.settles is None for charge in self.charges.values())

    # --- What it does -----------------------------------------------------------------------------------------------

    def _known(self, charge: gateways.Charge) -> Charge:
        return self.charges.setdefault(charge.key, Charge(charge.order_id, charge.amount, charge.method, charge.hold))

    def _take(self, charge: gateways.Charge) -> str:
        known = self._known(charge)
        if known.amount != charge.amount:
            self._world.broken(f"{charge.key} was charged for {charge.amount} and for {known.amount}")
        if known.state != PREPARED:
            return known.state
        state, more = METHODS[known.method]
        if state == PENDING:
            soon, late = self._dice.between(0.5, 40), self._dice.between(300, 1200)
            known.settles = (self._world.now + self._dice.pick((soon, late), (3, 1)), more)
        if state == DECLINED:
            known.reason = more
            if self._dice.fault("provider takes after it declined"):
                known.settles = (self._world.now + self._dice.between(1, 30), CAPTURED)
        self._become(charge.key, known, AUTHORIZED if state == CAPTURED and known.hold else state)
        return known.state

    def _capture(self, charge: gateways.Charge) -> str:
        known = self._known(charge)
        if known.state == AUTHORIZED:
            known.lapsed = self._dice.fault("provider lets an authorisation lapse")
            self._become(charge.key, known, CANCELLED if known.lapsed else CAPTURED)
        return CANCELLED if known.state == PREPARED else known.state

    def _cancel(self, charge: gateways.Charge) -> str:
        known = self._known(charge)
        if known.state == PENDING and self._dice.fault("provider will not cancel"):
            return PENDING
        if known.state in {PREPARED, PENDING, AUTHORIZED}:
            late = known.state != PREPARED and self._dice.fault("provider takes after it cancelled")
            known.settles = (self._world.now + self._dice.between(1, 30), CAPTURED) if late else None
            self._become(charge.key, known, CANCELLED)
        return known.state

    def _give_back(self, repayment: Repayment) -> str:
        known = self.charges[repayment.charge_key]
        made = [key for key, _ in known.refunds]
        if repayment.key in made and (repayment.asked_before or (repayment.key, repayment.number) in known.refunds):
            return RefundAnswer.DONE
        if known.pending_refunds.get(repayment.key, 0.0) > self._world.now and not self._dice.faults_are_over:
            return RefundAnswer.PENDING
        if repayment.key not in known.failing_refunds:
            fails = self._dice.fault("refund fails many times")
            known.failing_refunds[repayment.key] = self._dice.number(1, 12) if fails else 0
        if known.failing_refunds[repayment.key] > 0 and not self._dice.faults_are_over:
            known.failing_refunds[repayment.key] -= 1
            self._kept.add(("refund", repayment.key, repayment.number))
            raise ProviderFailed("this refund has failed")
        if repayment.key not in known.pending_refunds and self._dice.fault("refund settles later"):
            known.pending_refunds[repayment.key] = self._world.now + self._dice.between(1, 20)
            return RefundAnswer.PENDING
        if known.state != CAPTURED or known.refunded + repayment.amount.amount > known.amount.amount:
            self._world.broken(f"a refund of {repayment.amount} of {repayment.charge_key}: it is not there to give")
        known.refunds[repayment.key, repayment.number] = (repayment.amount, self._world.clock.date())
        self._announce(repayment.charge_key)
        return RefundAnswer.DONE

    # --- How it answers ---------------------------------------------------------------------------------------------

    def _ask[T](self, question: str, key: str, number: int, work: Callable[[], T]) -> T:
        """A question and its answer, or what became of either."""
        self._world.pause(f"asks the provider: {question} {key}")
        if aliases := open_transactions():
            self._world.broken(f"the provider was asked to {question} inside a transaction on {', '.join(aliases)}")
        self.settle()
        if (question, key, number) in self._kept:
            raise ProviderFailed("the same failure as before")
        if self._world.fault("provider is silent before"):
            raise ProviderSilent("silent before")
        changes = question not in {"look_up", "prepare"}
        if changes and self._world.fault("provider keeps a failure, nothing done"):
            self._kept.add((question, key, number))
            raise ProviderFailed("failed")
        answer = work()
        if changes and self._world.fault("provider keeps a failure, though done"):
            self._kept.add((question, key, number))
            raise ProviderFailed("failed, though done")
        if self._world.fault("provider is silent after"):
            raise ProviderSilent("silent after")
        self._world.pause(f"hears of the provider: {answer if isinstance(answer, str) else ''}")
        return answer

    def _answer(self, charge: gateways.Charge, state: str) -> Answer:
        known = self.charges[charge.key]
        refunded = Money(known.refunded, known.amount.currency)
        return Answer(
            state=state,
            reference=f"ch_{charge.key}",
            amount=known.amount,
            refunded=refunded if state == CAPTURED else Money.zero(known.amount.currency),
            reason=(known.reason or "payment_failed") if state == DECLINED else None,
        )

    def _become(self, key: str, charge: Charge, state: str) -> None:
        charge.state = state
        if state == CAPTURED:
            charge.captured_at = self._world.clock.date()
        self._announce(key)

    def _announce(self, key: str) -> None:
        self._events += 1
        for _ in range(2 if self._dice.fault("webhook comes twice") else 1):
            late = self._dice.between(5, 60) if self._dice.fault("webhook comes late") else 0.0
            self.letters.append(Letter(f"evt_{self._events}", key, self._world.now + late))


def _entry(reference: str, key: str, kind: str, amount: Money, at: dates.datetime) -> Entry:
    return Entry(reference=reference, key=key, kind=kind, amount=amount, made_at=at)
