"""
Payments' own books: each function is one transaction, may be run again, and leaves status and movements agreeing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from apps.payments import gateways
from apps.payments.models import Attempt, LedgerLine, Movement, Payment, Refund, WebhookReceipt
from contracts import payments as contract
from contracts._base import Money
from contracts.payments import RefundTooLarge
from runtime.databases.clock import Now
from runtime.databases.rows import insert_once
from runtime.idempotency.store import forget_answers
from runtime.messaging import publish

ALIAS = "payments"

REFUND_RETRY = timedelta(seconds=10)
"""A refund that the provider has not confirmed is asked for again after this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a charge is for."""

    order_id: UUID
    user_id: UUID | None
    amount: Money
    method: str


class WrongAmount(AssertionError):
    """The provider answered with another amount or currency than it was asked for."""


def begin_charge(key: str, order: Order, *, provider: str) -> tuple[Payment, bool]:
    """The payment of this key, and whether it was begun just now."""
    payment = Payment(
        key=key,
        order_id=order.order_id,
        user_id=order.user_id,
        amount=order.amount.amount,
        currency=order.amount.currency,
        method=order.method,
        provider=provider,
    )
    with transaction.atomic(using=ALIAS):
        is_new = insert_once(payment, using=ALIAS)
        if is_new:
            _attempt(payment, "charge").save(using=ALIAS, force_insert=True)
            return payment, True
    return Payment.objects.using(ALIAS).get(key=key), False


def begin_void(key: str, order_id: UUID, *, provider: str, currency: str) -> Payment:
    """
    Want the payment of this key undone. Where no charge was begun, a voided payment of nothing is the mark that a
    late one meets.
    """
    with transaction.atomic(using=ALIAS):
        mark = Payment(
            key=key,
            order_id=order_id,
            amount=Decimal(0),
            currency=currency,
            method="",
            provider=provider,
            intent=Payment.VOID,
            status=contract.VOIDED,
        )
        insert_once(mark, using=ALIAS)
        payment = Payment.objects.using(ALIAS).select_for_update().get(key=key)
        if payment.intent != Payment.VOID:
            payment.intent = Payment.VOID
            payment.save(using=ALIAS, update_fields=["intent"])
    return payment


def begin_attempt(payment: Payment, action: str) -> Attempt:
    """Written down before the provider is asked, so that a question that killed us is seen."""
    attempt = _attempt(payment, action)
    attempt.save(using=ALIAS, force_insert=True)
    return attempt


def record_silence(payment: Payment, action: str) -> Payment:
    """The provider did not answer: from now on the outcome is unknown, which is not a failure."""
    with transaction.atomic(using=ALIAS):
        current = _locked(payment)
        _close_attempt(current, action, "silent")
        if current.status == Payment.PROCESSING:
            _set_status(current, contract.UNKNOWN)
    return current


def record_answer(payment: Payment, action: str, answer: gateways.Answer) -> Payment:
    """What the provider says of the charge. An answer that comes late, or twice, changes nothing."""
    with transaction.atomic(using=ALIAS):
        current = _locked(payment)
        _close_attempt(current, action, answer.state)
        if current.status not in Payment.OPEN:
            return current
        if answer.state == gateways.CAPTURED:
            _capture(current, answer)
        elif answer.state == gateways.DECLINED:
            _set_status(current, contract.FAILED, reason=answer.reason or "payment_declined")
            publish(_event(contract.PaymentFailed, current, reason=current.reason), using=ALIAS)
        elif answer.state == gateways.CANCELLED:
            _set_status(current, contract.VOIDED)
            publish(_event(contract.PaymentVoided, current), using=ALIAS)
        elif current.status != contract.PENDING:
            _set_status(current, contract.PENDING)
    return current


def begin_refund(payment: Payment, *, key: str, amount: Money | None, reason: str) -> Refund | None:
    """
    Want so much given back (None: all that is left), once for this key. None where nothing is left to give.

    Raises RefundTooLarge, also for a payment of which nothing was captured.
    """
    with transaction.atomic(using=ALIAS):
        current = _locked(payment)
        known = Refund.objects.using(ALIAS).select_related("payment").filter(key=key).first()
        if known is not None:
            return known
        is_paid = current.status == contract.CAPTURED
        left = current.money - promised(current) if is_paid else Money.zero(current.currency)
        if amount is None and left == Money.zero(left.currency):
            return None
        wanted = left if amount is None else amount
        if left < wanted:
            raise RefundTooLarge(left=left)
        refund = Refund(payment=current, key=key, amount=wanted.amount, reason=reason, due_at=Now() + REFUND_RETRY)
        refund.save(using=ALIAS, force_insert=True)
        _attempt(current, "refund").save(using=ALIAS, force_insert=True)
    return refund


def record_refund(refund: Refund, *, reference: str) -> None:
    """The provider has given it back. Said twice, it is booked once."""
    with transaction.atomic(using=ALIAS):
        current = _locked(refund.payment)
        _close_attempt(current, "refund", "refunded")
        movement = Movement(
            payment=current, kind=Movement.REFUND, key=refund.key, amount=refund.amount, reference=reference
        )
        if not insert_once(movement, using=ALIAS):
            return
        _post(movement, debit=LedgerLine.CUSTOMERS, credit=LedgerLine.AT_PROVIDER)
        Refund.objects.using(ALIAS).filter(pk=refund.pk).update(done_at=Now())
        if refunded(current) == current.money:
            _set_status(current, contract.REFUNDED)
        publish(_event(contract.PaymentRefunded, current, amount=refund.money, refund_id=refund.id), using=ALIAS)


def owed_refunds(payment: Payment) -> list[Refund]:
    """Refunds of this payment that the provider has not confirmed."""
    rows = Refund.objects.using(ALIAS).select_related("payment").filter(payment=payment, done_at=None)
    return list(rows.order_by("id"))


def take_due_refunds(*, limit: int) -> list[Refund]:
    """Refunds whose next try is due, each given to one caller only."""
    with transaction.atomic(using=ALIAS):
        rows = list(
            Refund.objects.using(ALIAS)
            .select_for_update(of=("self",), skip_locked=True)
            .select_related("payment")
            .filter(done_at=None, due_at__lte=Now())
            .order_by("due_at")[:limit]
        )
        Refund.objects.using(ALIAS).filter(pk__in=[row.pk for row in rows]).update(due_at=Now() + REFUND_RETRY)
    return rows


def forget_reasons(user_id: UUID) -> None:
    """
    Blank the reasons of refunds to this user, and forget the stored answers that repeat them, in the caller's
    transaction. Asked for again under the same key, such an answer is made anew.
    """
    refunds = Refund.objects.using(ALIAS).filter(payment__user_id=user_id).exclude(reason="")
    forget_answers(using=ALIAS, about=list(refunds.values_list("pk", flat=True)))
    refunds.update(reason="")


def take_in_webhook(provider: str, event_id: str) -> bool:
    """Whether this message is new."""
    return insert_once(WebhookReceipt(provider=provider, event_id=event_id), using=ALIAS)


def refunded(payment: Payment) -> Money:
    """How much the provider has given back so far."""
    rows = Movement.objects.using(ALIAS).filter(payment=payment, kind=Movement.REFUND)
    return sum((Money(row.amount, payment.currency) for row in rows), Money.zero(payment.currency))


def promised(payment: Payment) -> Money:
    """How much was given back or is to be."""
    rows = Refund.objects.using(ALIAS).filter(payment=payment)
    return sum((Money(row.amount, payment.currency) for row in rows), Money.zero(payment.currency))


# --- Inside a transaction -------------------------------------------------------------------------------------------


def _locked(payment: Payment) -> Payment:
    return Payment.objects.using(ALIAS).select_for_update().get(pk=payment.pk)


def _capture(payment: Payment, answer: gateways.Answer) -> None:
    if answer.amount != payment.money:
        raise WrongAmount(f"{payment.key} was to take {payment.money}, the provider says {answer.amount}")
    movement = Movement(
        payment=payment,
        kind=Movement.CAPTURE,
        key=f"{payment.key}:capture",
        amount=payment.amount,
        reference=answer.reference,
    )
    if insert_once(movement, using=ALIAS):
        _post(movement, debit=LedgerLine.AT_PROVIDER, credit=LedgerLine.CUSTOMERS)
    _set_status(payment, contract.CAPTURED)
    publish(_event(contract.PaymentCaptured, payment), using=ALIAS)


def _post(movement: Movement, *, debit: str, credit: str) -> None:
    """Both sides of a movement, in one statement."""
    LedgerLine.objects.using(ALIAS).bulk_create(
        [
            LedgerLine(movement=movement, account=debit, debit=movement.amount),
            LedgerLine(movement=movement, account=credit, credit=movement.amount),
        ]
    )


def _set_status(payment: Payment, status: str, *, reason: str | None = None) -> None:
    payment.status, payment.reason = status, reason
    Payment.objects.using(ALIAS).filter(pk=payment.pk).update(status=status, reason=reason, updated_at=Now())


def _attempt(payment: Payment, action: str) -> Attempt:
    return Attempt(payment=payment, action=action)


def _close_attempt(payment: Payment, action: str, outcome: str) -> None:
    Attempt.objects.using(ALIAS).filter(payment=payment, action=action, ended_at=None).update(
        outcome=outcome, ended_at=Now()
    )


def _event(kind: type, payment: Payment, **more: object) -> contract._PaymentEvent:
    facts = {"payment_id": payment.id, "order_id": payment.order_id, "amount": payment.money, **more}
    event = kind(**facts)
    assert isinstance(event, contract._PaymentEvent)
    return event
