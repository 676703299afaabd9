"""
How payments asks the provider: outside of any transaction, what is wanted committed before and what came of it after.

``converge`` asks until status and intent agree or the provider is silent. Whoever comes next with the same key goes on
from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from time import perf_counter

from django.conf import settings

from apps.payments import books, queries, refunds
from apps.payments.gateways import Answer, Charge, EntryPage, Gateway, KeyRefused, ProviderSilent, Repayment
from apps.payments.models import Payment, Refund
from contracts import payments as contract
from contracts._base import Unavailable
from runtime.calls import current_call
from runtime.resilience import Bulkhead
from runtime.telemetry.crashpoints import crashpoint
from runtime.telemetry.metrics import count_answer

log = logging.getLogger(__name__)


class Provider:
    """The payment provider in use, asked by few at a time."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @property
    def name(self) -> str:
        return self.gateway.name

    @cached_property
    def waiting(self) -> Bulkhead:
        """At most half of a web process may wait for the provider; the rest goes on answering."""
        return Bulkhead(name="the payment provider", places=settings.PROVIDER_WAITERS)

    # --- What is wanted of a payment --------------------------------------------------------------------------------

    def begin(self, payment: Payment) -> Payment:
        """The first questions about a payment that was begun just now."""
        if payment.reference:
            return self._finish(self._ask(payment, "charge", self.gateway.charge, begun=True))
        return self._from_the_start(payment, begun=True)

    def converge(self, payment: Payment) -> Payment:
        """Ask what is open, and take back what was captured against our intent. Or say that nobody can tell yet."""
        if payment.status in Payment.OPEN:
            if payment.intent == Payment.VOID:
                payment = self._ask(payment, "cancel", self.gateway.cancel)
            elif payment.reference:
                payment = self._inquire(payment)
            else:
                return self._from_the_start(payment)
        return self._finish(payment)

    def look_again(self, payment: Payment) -> Payment:
        """
        Something may have happened to a payment, whatever we think of it: find out, and do what follows. The refunds
        that it owes are not hurried: each that fails is announced, and they have a timer of their own.
        """
        if payment.status in Payment.OPEN or queries.owes_a_first_refund(payment):
            return self.converge(payment)
        if payment.status in {contract.CAPTURED, contract.REFUNDED} or not payment.reference:
            return payment
        return self._finish(self._ask(payment, "inquire", self.gateway.look_up))

    def give_back(self, refund: Refund, *, asked_before: bool = True) -> Refund:
        """Ask the provider for a refund that is owed. Silent: it stays owed, and is asked for again."""
        if refund.done_at is not None:
            return refund
        payment = refund.payment
        question = Repayment(
            key=refund.key,
            charge_key=payment.key,
            reference=payment.reference,
            order_id=payment.order_id,
            amount=refund.money,
            number=refund.number,
            asked_before=asked_before,
        )
        with self.waiting:
            try:
                self._require_ours(payment)
                answer = self._told("refund", lambda: self.gateway.refund(question, timeout=_timeout()))
            except ProviderSilent as silence:
                log.warning("refund %s of payment %s is owed: %s", refund.id, payment.id, silence)
                refunds.record_owed(refund, silence.outcome)
                return refund
            crashpoint("comp.after_before_record")
        refunds.record_refund(refund, answer)
        return queries.refund(refund.id)

    # --- What is only looked at -------------------------------------------------------------------------------------

    def look_up(self, payment: Payment) -> Answer | None:
        """What the provider says of this payment; None where nothing can have happened. Raises ProviderSilent."""
        if not payment.reference:
            return None
        self._require_ours(payment)
        return self.gateway.look_up(_charge(payment), timeout=_timeout())

    def entries(self, *, after: str | None, limit: int) -> EntryPage:
        """Raises Unavailable."""
        try:
            return self.gateway.entries(after=after, limit=limit, timeout=_timeout())
        except ProviderSilent as silence:
            raise Unavailable(f"the payment provider does not answer: {silence}") from silence

    # --- One question each ------------------------------------------------------------------------------------------

    def _from_the_start(self, payment: Payment, *, begun: bool = False) -> Payment:
        """Prepared first, and charged by the reference once that is committed; unless it was undone meanwhile."""
        payment = self._prepare(payment, begun=begun)
        if payment.reference and payment.status in Payment.OPEN and payment.intent != Payment.VOID:
            payment = self._ask(payment, "charge", self.gateway.charge)
        return self._finish(payment)

    def _prepare(self, payment: Payment, *, begun: bool) -> Payment:
        with self.waiting:
            number = 0 if begun else books.begin_attempt(payment, "prepare")
            try:
                self._require_ours(payment)
                charge = _charge(payment, number)
                answer = self._told("prepare", lambda: self.gateway.prepare(charge, timeout=_timeout()))
            except ProviderSilent as silence:
                return self._silent(payment, "prepare", silence)
            crashpoint("pay.after_prepare_before_record")
        return books.record_reference(payment, answer)

    def _inquire(self, payment: Payment) -> Payment:
        """Where it was never confirmed, the charge is sent again under its key: that is no second charge."""
        found = self._ask(payment, "inquire", self.gateway.look_up)
        return self._ask(payment, "charge", self.gateway.charge) if found is payment else found

    def _finish(self, payment: Payment) -> Payment:
        """What is held is taken or let go, and what was taken against our intent is given back, once."""
        if payment.status == contract.AUTHORIZED and payment.intent != Payment.HOLD:
            action = "capture" if payment.intent == Payment.CHARGE else "cancel"
            question = self.gateway.capture if action == "capture" else self.gateway.cancel
            payment = self._ask(payment, action, question)
        if payment.intent != Payment.VOID or payment.status != contract.CAPTURED:
            return payment
        _, is_new = refunds.begin_refund(payment, key=f"{payment.key}:refund", amount=None, reason="")
        for refund in refunds.owed_refunds(payment):
            self.give_back(refund, asked_before=not is_new)
        return queries.reread(payment)

    def _ask(
        self, payment: Payment, action: str, question: Callable[..., Answer | None], *, begun: bool = False
    ) -> Payment:
        """The same payment where the provider says that nothing was ever confirmed."""
        with self.waiting:
            number = 0 if begun else books.begin_attempt(payment, action)
            crashpoint("pay.before_call")
            try:
                self._require_ours(payment)
                charge = _charge(payment, number)
                answer = self._told(action, lambda: question(charge, timeout=_timeout()))
            except ProviderSilent as silence:
                return self._silent(payment, action, silence)
            crashpoint("pay.after_call_before_record")
        if answer is None:
            return books.record_nothing(payment, action)
        return books.record_answer(payment, action, answer)

    def _told[T](self, action: str, ask: Callable[[], T]) -> T:
        """Its answer, counted with the time that it took; as is its silence, which is raised."""
        result, began = "broken", perf_counter()
        try:
            answer = ask()
            result = "answered"
        except ProviderSilent as silence:
            result = silence.outcome if isinstance(silence, KeyRefused) else ProviderSilent.outcome
            raise
        finally:
            seconds = perf_counter() - began
            count_answer(provider=self.name, action=action, result=result, seconds=seconds)
        return answer

    def _silent(self, payment: Payment, action: str, silence: ProviderSilent) -> Payment:
        log.warning("payment %s: no answer to %s: %s", payment.id, action, silence)
        return books.record_silence(payment, action, silence.outcome)

    def _require_ours(self, payment: Payment) -> None:
        """What was begun with another provider is that one's to answer for, and waits until it is in use again."""
        if payment.provider != self.name:
            raise ProviderSilent(f"{payment.provider} is not the provider in use here")


def _charge(payment: Payment, number: int = 0) -> Charge:
    return Charge(
        key=payment.key,
        reference=payment.reference,
        order_id=payment.order_id,
        amount=payment.money,
        method=payment.method,
        hold=payment.held_first,
        number=number,
    )


def _timeout() -> float:
    """Seconds to wait for the provider: never longer than whoever called us has."""
    return current_call().allowed(settings.PROVIDER_TIMEOUT)
