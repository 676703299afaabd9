"""
The books of what is given back: a refund is promised before the provider is asked, and booked when it has confirmed it.

Each function is one transaction and may be run again.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, When

from apps.payments import books, gateways
from apps.payments.models import LedgerLine, Movement, Payment, Refund
from contracts import payments as contract
from contracts._base import Money
from contracts.payments import RefundTooLarge
from runtime.calls.fence import pass_fence
from runtime.databases.clock import Now
from runtime.databases.rows import insert_once
from runtime.idempotency.store import forget_answers
from runtime.messaging import publish

ALIAS = "payments"

REFUND_LEASE = timedelta(seconds=10)
"""A refund that is being asked for is not asked for by another process within this time."""

REFUND_STEP, REFUND_QUICK_TRIES, REFUND_LATER = timedelta(seconds=2), 20, timedelta(seconds=15)
"""A refund that the provider has not confirmed is asked for again after a step; after so many tries less often."""


def begin_refund(payment: Payment, *, key: str, amount: Money | None, reason: str) -> tuple[Refund | None, bool]:
    """
    Want so much given back (None: all that is left), once for this key, and whether it was begun just now. None where
    nothing is left to give.

    Raises RefundTooLarge, also for a payment of which nothing was captured.
    """
    with transaction.atomic(using=ALIAS):
        pass_fence(using=ALIAS)
        current = books.locked(payment)
        known = Refund.objects.using(ALIAS).select_related("payment").filter(key=key).first()
        if known is not None:
            return known, False
        is_paid = current.status == contract.CAPTURED
        left = current.money - promised(current) if is_paid else Money.zero(current.currency)
        if amount is None and left == Money.zero(left.currency):
            return None, False
        wanted = left if amount is None else amount
        if left < wanted:
            raise RefundTooLarge(left=left)
        refund = Refund(payment=current, key=key, amount=wanted.amount, reason=reason, due_at=Now() + REFUND_LEASE)
        refund.save(using=ALIAS, force_insert=True)
        books.attempt(current, "refund").save(using=ALIAS, force_insert=True)
    return refund, True


def record_refund(refund: Refund, answer: gateways.RefundAnswer) -> None:
    """
    What the provider says of a refund. Said twice, it is booked once; what is not done stays owed, and due soon.

    Raises WrongAmount where it is of another amount: nothing is booked, and a person has to look before it is due.
    """
    if answer.amount != refund.money:
        _mark_wrong_refund(refund)
        raise books.WrongAmount(f"{refund.key} was to give back {refund.money}, the provider says {answer.amount}")
    if answer.state != gateways.RefundAnswer.DONE:
        record_owed(refund, answer.state)
        return
    with transaction.atomic(using=ALIAS):
        current = books.locked(refund.payment)
        books.close_attempt(current, "refund", "refunded")
        movement = Movement(
            payment=current, kind=Movement.REFUND, key=refund.key, amount=refund.amount, reference=answer.reference
        )
        if not insert_once(movement, using=ALIAS):
            return
        books.post(movement, debit=LedgerLine.CUSTOMERS, credit=LedgerLine.AT_PROVIDER)
        Refund.objects.using(ALIAS).filter(pk=refund.pk).update(done_at=Now())
        if refunded(current) == current.money:
            books.set_status(current, contract.REFUNDED)
        publish(books.event(contract.PaymentRefunded, current, amount=refund.money, refund_id=refund.id), using=ALIAS)


def record_owed(refund: Refund, outcome: str) -> None:
    """
    The provider has not given it back, or nobody can say: it is due again soon. Under a new number where it has failed
    for good, under the same one where that is not known.
    """
    with transaction.atomic(using=ALIAS):
        books.close_attempt(refund.payment, "refund", outcome)
        rows = Refund.objects.using(ALIAS).filter(pk=refund.pk, number=refund.number, due_at__isnull=False)
        quick = When(tries__lt=REFUND_QUICK_TRIES, then=Now() + REFUND_STEP)
        rows.update(
            number=F("number") + int(outcome == gateways.ProviderFailed.outcome),
            tries=F("tries") + 1,
            due_at=Case(quick, default=Now() + REFUND_LATER),
        )


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
            .order_by("due_at", "id")[:limit]
        )
        Refund.objects.using(ALIAS).filter(pk__in=[row.pk for row in rows]).update(due_at=Now() + REFUND_LEASE)
    return rows


def forget_reasons(user_id: UUID) -> None:
    """
    Blank the reasons of refunds to this user, and forget the stored answers that repeat them, in the caller's
    transaction. Asked for again under the same key, such an answer is made anew.
    """
    refunds = Refund.objects.using(ALIAS).filter(payment__user_id=user_id).exclude(reason="")
    forget_answers(using=ALIAS, about=list(refunds.values_list("pk", flat=True)))
    refunds.update(reason="")


def refunded(payment: Payment) -> Money:
    """How much the provider has given back so far."""
    rows = Movement.objects.using(ALIAS).filter(payment=payment, kind=Movement.REFUND)
    return sum((Money(row.amount, payment.currency) for row in rows), Money.zero(payment.currency))


def promised(payment: Payment) -> Money:
    """How much was given back or is to be."""
    rows = Refund.objects.using(ALIAS).filter(payment=payment)
    return sum((Money(row.amount, payment.currency) for row in rows), Money.zero(payment.currency))


# --- Inside a transaction -------------------------------------------------------------------------------------------


def _mark_wrong_refund(refund: Refund) -> None:
    with transaction.atomic(using=ALIAS):
        books.close_attempt(refund.payment, "refund", books.WRONG_AMOUNT)
        Refund.objects.using(ALIAS).filter(pk=refund.pk).update(due_at=None)
