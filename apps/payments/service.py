"""
What payments does.

A payment has an intent (charge it, or undo it) and a status. A use case writes the intent down first; then
``_converge`` asks the provider, outside of any transaction, until the status agrees with the intent or the provider is
silent. Whoever comes next with the same key goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cached_property
from uuid import UUID

from django.conf import settings

from apps.payments import books, queries
from apps.payments.gateways import Answer, Gateway, ProviderSilent
from apps.payments.models import Payment, Refund
from apps.payments.sandbox import Sandbox, deliver_webhooks
from contracts import payments as contract
from contracts._base import Money
from contracts.payments import ChargeFailed, InsufficientFunds, PaymentClosed, PaymentDeclined, PaymentUnknown
from runtime.calls import current_call
from runtime.databases.keyset import Page, PageRequest
from runtime.messaging.listening import Listening
from runtime.resilience import Bulkhead
from runtime.telemetry.crashpoints import crashpoint

log = logging.getLogger(__name__)

GATEWAYS: Mapping[str, Callable[[], Gateway]] = {"sandbox": Sandbox}

_REFUSALS = {
    "payment_declined": PaymentDeclined,
    "insufficient_funds": InsufficientFunds,
    "payment_failed": ChargeFailed,
}


class Payments(Listening):
    """Implements contracts.payments.PaymentService, and takes in what providers announce."""

    domain = "payments"

    # --- For other domains ------------------------------------------------------------------------------------------

    def charge(self, *, key: str, order_id: UUID, user_id: UUID, amount: Money, method: str) -> contract.Payment:
        order = books.Order(order_id=order_id, user_id=user_id, amount=amount, method=method)
        payment, is_new = books.begin_charge(key, order, provider=self._gateway.name)
        payment = self._ask(payment, "charge", self._charge) if is_new else self._converge(payment)
        return _as_contract(_refuse(payment))

    def inquire(self, *, key: str) -> contract.Payment:
        payment = queries.by_key(key)
        if payment is None:
            raise PaymentUnknown
        return _as_contract(_refuse(self._converge(payment)))

    def void(self, *, key: str, order_id: UUID) -> contract.Payment:
        payment = books.begin_void(key, order_id, provider=self._gateway.name, currency=settings.SHOP_CURRENCY)
        return _as_contract(self._converge(payment))

    def refund(self, *, key: str, charge_key: str, amount: Money, reason: str) -> contract.Refund:
        payment = queries.by_key(charge_key)
        if payment is None:
            raise PaymentUnknown
        return _as_refund(self._refund(payment, key=key, amount=amount, reason=reason))

    def history(self, *, order_id: UUID) -> tuple[contract.PaymentMoment, ...]:
        return queries.history(order_id)

    def audit(self, *, after: str | None, limit: int) -> contract.PaymentAuditPage:
        return queries.audit(after=after, limit=limit, look_up=self._look_up)

    # --- When others announce something -----------------------------------------------------------------------------

    def forget_user(self, *, user_id: UUID) -> None:
        """
        What operators wrote about this user's refunds, in words, is forgotten. The money's books stay. Called inside
        the inbox's transaction.
        """
        books.forget_reasons(user_id)

    # --- From outside -----------------------------------------------------------------------------------------------

    def webhook(self, *, provider: str, body: bytes, headers: Mapping[str, str]) -> None:
        """
        A provider announces something. What it says is not believed: the charge it names is looked up.

        Raises BadWebhook, and LookupError for a provider that is not in use here.
        """
        if provider != self._gateway.name:
            raise LookupError(provider)
        message = self._gateway.read_webhook(body=body, headers=headers)
        payment = queries.by_key(message.key)
        if payment is not None:
            self._converge(payment)
        books.take_in_webhook(provider, message.event_id)

    def deliver_sandbox_webhooks(self) -> bool:
        return Sandbox.name == settings.PAYMENT_PROVIDER and deliver_webhooks()

    # --- By operators -----------------------------------------------------------------------------------------------

    def refund_payment(self, *, payment_id: UUID, key: str, amount: Money, reason: str) -> Refund:
        """Give back part or all of a payment, once for this key. Raises PaymentUnknown, RefundTooLarge."""
        payment = queries.payment(payment_id=payment_id, user_id=None)
        return self._refund(payment, key=f"{payment.id}:{key}", amount=amount, reason=reason)

    def retry_refunds(self) -> bool:
        """Ask again for the refunds that are owed and due. Whether there may be more."""
        due = books.take_due_refunds(limit=20)
        for refund in due:
            try:
                self._give_back(refund)
            except Exception:  # one that fails in a new way must not hold back the others
                log.exception("refund %s could not be asked for and is tried again", refund.id)
        return len(due) == 20

    def _refund(self, payment: Payment, *, key: str, amount: Money, reason: str) -> Refund:
        refund = books.begin_refund(payment, key=key, amount=amount, reason=reason)
        assert refund is not None, "an amount was given"
        return self._give_back(refund)

    # --- To look at -------------------------------------------------------------------------------------------------

    def payments(self, *, user_id: UUID | None, order_id: UUID | None, page: PageRequest) -> Page[Payment]:
        return queries.payments(user_id=user_id, order_id=order_id, page=page)

    def payment(self, *, payment_id: UUID, user_id: UUID | None) -> Payment:
        """With its attempts and movements. ``user_id``: only if it is theirs. Raises PaymentUnknown."""
        return queries.payment(payment_id=payment_id, user_id=user_id)

    # --- Asking the provider ----------------------------------------------------------------------------------------

    @cached_property
    def _gateway(self) -> Gateway:
        return GATEWAYS[settings.PAYMENT_PROVIDER]()

    @cached_property
    def _waiting(self) -> Bulkhead:
        """At most half of a web process may wait for the provider; the rest goes on answering."""
        return Bulkhead(name="the payment provider", places=settings.PROVIDER_WAITERS)

    def _converge(self, payment: Payment) -> Payment:
        """Ask what is open, and take back what was captured against our intent. Or say that nobody can tell yet."""
        if payment.status in Payment.OPEN and payment.intent == Payment.CHARGE:
            return self._ask(payment, "inquire", self._inquire)
        if payment.status in Payment.OPEN:
            return self._ask(payment, "cancel", self._cancel)
        return self._refund_unwanted(payment)

    def _ask(self, payment: Payment, action: str, question: Callable[[Payment], Answer]) -> Payment:
        with self._waiting:
            if action != "charge":
                books.begin_attempt(payment, action)
            crashpoint("pay.before_call")
            try:
                answer = question(payment)
            except ProviderSilent:
                return books.record_silence(payment, action)
            crashpoint("pay.after_call_before_record")
        return self._refund_unwanted(books.record_answer(payment, action, answer))

    def _charge(self, payment: Payment) -> Answer:
        return self._gateway.charge(key=payment.key, amount=payment.money, method=payment.method, timeout=_timeout())

    def _inquire(self, payment: Payment) -> Answer:
        """Where the provider never heard of the key, the charge is sent again under it: that is no second charge."""
        return self._gateway.look_up(key=payment.key, timeout=_timeout()) or self._charge(payment)

    def _cancel(self, payment: Payment) -> Answer:
        return self._gateway.cancel(key=payment.key, amount=payment.money, timeout=_timeout())

    def _look_up(self, payment: Payment) -> Answer | None:
        return self._gateway.look_up(key=payment.key, timeout=_timeout())

    def _refund_unwanted(self, payment: Payment) -> Payment:
        """What was captured for a payment that is to be undone is given back, once."""
        if payment.intent != Payment.VOID or payment.status != contract.CAPTURED:
            return payment
        books.begin_refund(payment, key=f"{payment.key}:refund", amount=None, reason="")
        for refund in books.owed_refunds(payment):
            self._give_back(refund)
        return queries.reread(payment)

    def _give_back(self, refund: Refund) -> Refund:
        """Ask the provider for a refund that is owed. Silent: it stays owed, and is asked for again."""
        if refund.done_at is not None:
            return refund
        payment = refund.payment
        with self._waiting:
            try:
                reference = self._gateway.refund(
                    key=refund.key, charge_key=payment.key, amount=refund.money, timeout=_timeout()
                )
            except ProviderSilent:
                books.record_silence(payment, "refund")
                return refund
            crashpoint("comp.after_before_record")
        books.record_refund(refund, reference=reference)
        return queries.refund(refund.id)


SERVICE = Payments()


def _timeout() -> float:
    """Seconds to wait for the provider: never longer than whoever called us has."""
    return current_call().allowed(settings.PROVIDER_TIMEOUT)


def _refuse(payment: Payment) -> Payment:
    """A definite no is an error of the contract."""
    if payment.status == contract.FAILED:
        raise _REFUSALS.get(payment.reason or "", PaymentDeclined)
    if payment.status in {contract.VOIDED, contract.REFUNDED} or payment.intent == Payment.VOID:
        raise PaymentClosed
    return payment


def _as_contract(payment: Payment) -> contract.Payment:
    status = contract.UNKNOWN if payment.status == Payment.PROCESSING else payment.status
    return contract.Payment(
        id=payment.id,
        order_id=payment.order_id,
        amount=payment.money,
        status=status,
        reason=payment.reason,
        refunded=books.refunded(payment) if payment.intent == Payment.VOID else Money.zero(payment.currency),
        created_at=payment.created_at,
    )


def _as_refund(refund: Refund) -> contract.Refund:
    return contract.Refund(
        id=refund.id, payment_id=refund.payment_id, amount=refund.money, done=refund.done_at is not None
    )
