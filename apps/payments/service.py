"""
What payments does.

A payment has an intent (hold it, take it, or undo it) and a status. A use case writes the intent down first; then the
provider is asked (asking.py), outside of any transaction, until the status agrees with the intent or the provider is
silent. Whoever comes next with the same key goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cached_property
from uuid import UUID

from django.conf import settings

from apps.payments import books, queries, refunds
from apps.payments.asking import Provider
from apps.payments.gateways import Gateway
from apps.payments.models import Payment, Refund
from contracts import payments as contract
from contracts._base import Money, Unavailable
from contracts.payments import ChargeFailed, InsufficientFunds, PaymentClosed, PaymentDeclined, PaymentUnknown
from runtime.console.overseeing import Overseeing
from runtime.databases.keyset import Page, PageRequest
from runtime.messaging.listening import Listening

log = logging.getLogger(__name__)


def _sandbox() -> Gateway:
    from apps.payments.sandbox import Sandbox

    return Sandbox()


def _stripe() -> Gateway:
    from apps.payments.stripe_gateway import Stripe

    return Stripe()


# Only the one in use is imported: a quarter of a second for an SDK, and nobody reaches a sandbox in production.
GATEWAYS: Mapping[str, Callable[[], Gateway]] = {"sandbox": _sandbox, "stripe": _stripe}

_REFUSALS = {
    "payment_declined": PaymentDeclined,
    "insufficient_funds": InsufficientFunds,
    "payment_failed": ChargeFailed,
}


class Payments(Listening, Overseeing):
    """Implements contracts.payments.PaymentService, and takes in what providers announce."""

    domain = "payments"

    # --- For other domains ------------------------------------------------------------------------------------------

    def charge(
        self, *, key: str, order_id: UUID, user_id: UUID, amount: Money, method: str, capture: bool = True
    ) -> contract.Payment:
        order = books.Order(order_id=order_id, user_id=user_id, amount=amount, method=method, hold=not capture)
        gateway = self._provider.gateway
        reference = gateway.reference_of(key=key)
        payment, is_new = books.begin_charge(key, order, provider=gateway.name, reference=reference)
        payment = self._provider.begin(payment) if is_new else self._provider.converge(payment)
        return _as_contract(_refuse(payment))

    def capture(self, *, key: str) -> contract.Payment:
        payment = books.begin_capture(key)
        if payment is None:
            raise PaymentUnknown
        return _as_contract(_refuse(self._provider.converge(payment)))

    def inquire(self, *, key: str) -> contract.Payment:
        payment = books.begin_inquiry(key)
        if payment is None:
            raise PaymentUnknown
        return _as_contract(_refuse(self._provider.converge(payment)))

    def void(self, *, key: str, order_id: UUID) -> contract.Payment:
        payment = books.begin_void(key, order_id, provider=self._provider.name, currency=settings.SHOP_CURRENCY)
        return _as_contract(self._provider.converge(payment))

    def refund(self, *, key: str, charge_key: str, amount: Money, reason: str) -> contract.Refund:
        payment = queries.by_key(charge_key)
        if payment is None:
            raise PaymentUnknown
        return _as_refund(self._refund(payment, key=key, amount=amount, reason=reason))

    def history(self, *, order_id: UUID) -> tuple[contract.PaymentMoment, ...]:
        return queries.history(order_id)

    def audit(self, *, after: str | None, limit: int) -> contract.PaymentAuditPage:
        return queries.audit(after=after, limit=limit, provider=self._provider.name, look_up=self._provider.look_up)

    def provider_entries(self, *, after: str | None, limit: int) -> contract.ProviderEntryPage:
        page = self._provider.entries(after=after, limit=limit)
        return contract.ProviderEntryPage(items=queries.beside_ours(page.items), next=page.next)

    # --- When others announce something -----------------------------------------------------------------------------

    def forget_user(self, *, user_id: UUID) -> None:
        """
        What operators wrote about this user's refunds, in words, is forgotten. The money's books stay. Called inside
        the inbox's transaction.
        """
        refunds.forget_reasons(user_id)

    # --- From outside -----------------------------------------------------------------------------------------------

    def webhook(self, *, provider: str, body: bytes, headers: Mapping[str, str]) -> None:
        """
        A provider announces something. What it says is not believed: the charge it names is looked up.

        Raises BadWebhook, and LookupError for a provider that is not in use here.
        """
        if provider != self._provider.name:
            raise LookupError(provider)
        message = self._provider.gateway.read_webhook(body=body, headers=headers)
        if queries.is_taken_in(provider, message.event_id):
            return
        payment = queries.by_any_key(message.key)
        if payment is not None:
            self._hear(payment)
        books.take_in_webhook(provider, message.event_id)

    def _hear(self, payment: Payment) -> None:
        """Look now, and where that cannot be, soon: whoever told us of it has done his part."""
        try:
            self._provider.look_again(payment)
        except Unavailable:
            books.record_lateness(payment)
        except books.WrongAmount:
            log.exception("payment %s: a person has to look", payment.id)

    def deliver_sandbox_webhooks(self) -> bool:
        if settings.PAYMENT_PROVIDER != "sandbox":
            return False
        from apps.payments.sandbox import deliver_webhooks

        return deliver_webhooks()

    # --- By operators -----------------------------------------------------------------------------------------------

    def refund_payment(self, *, payment_id: UUID, key: str, amount: Money, reason: str) -> Refund:
        """Give back part or all of a payment, once for this key. Raises PaymentUnknown, RefundTooLarge."""
        payment = queries.payment(payment_id=payment_id, user_id=None)
        own_key = f"{payment.id}:{key}"
        try:
            return self._refund(payment, key=own_key, amount=amount, reason=reason)
        except books.WrongAmount:
            log.exception("payment %s: a person has to look", payment.id)
            return queries.refund_by_key(own_key)

    def retry_refunds(self) -> bool:
        """Ask again for the refunds that are owed and due. Whether there may be more."""
        due = refunds.take_due_refunds(limit=20)
        for refund in due:
            try:
                self._provider.give_back(refund)
            except Exception:  # one that fails in a new way must not hold back the others
                log.exception("refund %s could not be asked for and is tried again", refund.id)
        return len(due) == 20

    def look_again(self) -> bool:
        """Ask once more about payments that ended and may not have. Whether there may be more."""
        due = books.take_due_looks(limit=20)
        for payment in due:
            try:
                self._provider.look_again(payment)
            except Exception:  # one that fails in a new way must not hold back the others
                log.exception("payment %s could not be looked at and is looked at later", payment.id)
        return len(due) == 20

    def _refund(self, payment: Payment, *, key: str, amount: Money, reason: str) -> Refund:
        refund, is_new = refunds.begin_refund(payment, key=key, amount=amount, reason=reason)
        assert refund is not None, "an amount was given"
        return self._provider.give_back(refund, asked_before=not is_new)

    # --- To look at -------------------------------------------------------------------------------------------------

    def payments(self, *, user_id: UUID | None, order_id: UUID | None, page: PageRequest) -> Page[Payment]:
        return queries.payments(user_id=user_id, order_id=order_id, page=page)

    def payment(self, *, payment_id: UUID, user_id: UUID | None) -> Payment:
        """With its attempts and movements. ``user_id``: only if it is theirs. Raises PaymentUnknown."""
        return queries.payment(payment_id=payment_id, user_id=user_id)

    @cached_property
    def _provider(self) -> Provider:
        return Provider(GATEWAYS[settings.PAYMENT_PROVIDER]())


SERVICE = Payments()


def _refuse(payment: Payment) -> Payment:
    """A definite no is an error of the contract."""
    if payment.status == contract.FAILED:
        raise _REFUSALS.get(payment.reason or "", PaymentDeclined)
    if payment.status in {contract.VOIDED, contract.REFUNDED} or payment.intent == Payment.VOID:
        raise PaymentClosed
    return payment


def _as_contract(payment: Payment) -> contract.Payment:
    """Where the money is held against what is wanted, nobody can say yet what will become of it."""
    undecided = payment.status == contract.AUTHORIZED and payment.intent != Payment.HOLD
    status = contract.UNKNOWN if undecided or payment.status == Payment.PROCESSING else payment.status
    return contract.Payment(
        id=payment.id,
        order_id=payment.order_id,
        amount=payment.money,
        status=status,
        reason=payment.reason,
        refunded=refunds.refunded(payment) if payment.intent == Payment.VOID else Money.zero(payment.currency),
        created_at=payment.created_at,
    )


def _as_refund(refund: Refund) -> contract.Refund:
    return contract.Refund(
        id=refund.id, payment_id=refund.payment_id, amount=refund.money, done=refund.done_at is not None
    )
