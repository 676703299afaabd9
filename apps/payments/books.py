"""
Payments' own books: each function is one transaction, may be run again, and leaves status and movements agreeing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Greatest

from apps.payments import gateways
from apps.payments.models import Attempt, LedgerLine, Movement, Payment, WebhookReceipt
from contracts import payments as contract
from contracts._base import Money
from runtime.calls.fence import pass_fence
from runtime.databases.clock import Now
from runtime.databases.rows import insert_once
from runtime.messaging import publish

ALIAS = "payments"

LOOK_AFTER, LOOK_UNTIL = timedelta(seconds=5), timedelta(days=1)
"""A voided payment is looked at again after this time, then at twice its age each time, until it is so old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a charge is for. ``hold``: the money is held first, and taken by a capture."""

    order_id: UUID
    user_id: UUID | None
    amount: Money
    method: str
    hold: bool = False


WRONG_AMOUNT = "wrong_amount"


class WrongAmount(AssertionError):
    """The provider answered with another amount or currency than it was asked for."""


def begin_charge(key: str, order: Order, *, provider: str, reference: str) -> tuple[Payment, bool]:
    """
    The payment of this key, and whether it was begun just now: then the first question, to prepare it (where there is
    no reference yet) or to charge it, is written down with it.
    """
    payment = Payment(
        key=key,
        order_id=order.order_id,
        user_id=order.user_id,
        amount=order.amount.amount,
        currency=order.amount.currency,
        method=order.method,
        provider=provider,
        reference=reference,
        held_first=order.hold,
        intent=Payment.HOLD if order.hold else Payment.CHARGE,
    )
    with transaction.atomic(using=ALIAS):
        pass_fence(using=ALIAS)
        is_new = insert_once(payment, using=ALIAS)
        if is_new:
            attempt(payment, "charge" if reference else "prepare").save(using=ALIAS, force_insert=True)
            return payment, True
    return Payment.objects.using(ALIAS).get(key=key), False


def begin_void(key: str, order_id: UUID, *, provider: str, currency: str) -> Payment:
    """
    Want the payment of this key undone. Where no charge was begun, a voided payment of nothing is the mark that a
    late one meets. What has no reference at the provider is voided at once: no money can have moved.
    """
    with transaction.atomic(using=ALIAS):
        pass_fence(using=ALIAS)
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
        if payment.status in Payment.OPEN and not payment.reference:
            _void(payment)
    return payment


def begin_capture(key: str) -> Payment | None:
    """Want what is held under this key taken. None where no charge was begun."""
    with transaction.atomic(using=ALIAS):
        pass_fence(using=ALIAS)
        payment = Payment.objects.using(ALIAS).select_for_update().filter(key=key).first()
        if payment is not None and payment.intent == Payment.HOLD:
            payment.intent = Payment.CHARGE
            payment.save(using=ALIAS, update_fields=["intent"])
    return payment


def begin_inquiry(key: str) -> Payment | None:
    """The payment of this key, to be asked about: what is found open may be charged for. None where none was begun."""
    with transaction.atomic(using=ALIAS):
        pass_fence(using=ALIAS)
        return Payment.objects.using(ALIAS).filter(key=key).first()


def begin_attempt(payment: Payment, action: str) -> int:
    """
    Written down before the provider is asked, so that a question that killed us is seen. The number under which to
    ask: how often the provider has refused this question for good.
    """
    attempt(payment, action).save(using=ALIAS, force_insert=True)
    failed = Attempt.objects.using(ALIAS).filter(payment=payment, action=action)
    return failed.filter(outcome=gateways.ProviderFailed.outcome).count()


def record_silence(payment: Payment, action: str, outcome: str) -> Payment:
    """
    The provider did not answer: from now on the outcome is unknown, which is not a failure. What is not open any more,
    and is asked about all the same, is looked at soon.
    """
    with transaction.atomic(using=ALIAS):
        current = locked(payment)
        close_attempt(current, action, outcome)
        if current.status == Payment.PROCESSING:
            set_status(current, contract.UNKNOWN)
        elif action == "inquire" and current.status not in Payment.OPEN:
            record_lateness(current)
    return current


def record_reference(payment: Payment, answer: gateways.Answer) -> Payment:
    """
    The provider has its object of the charge. From now on it is asked by this reference; the first one stays. Raises
    WrongAmount as record_answer does.
    """
    _require_amount(payment, "prepare", answer)
    with transaction.atomic(using=ALIAS):
        current = locked(payment)
        close_attempt(current, "prepare", answer.state)
        if not current.reference:
            current.reference = answer.reference
            current.save(using=ALIAS, update_fields=["reference"])
    return current


def record_nothing(payment: Payment, action: str) -> Payment:
    """The charge was never confirmed at the provider: nothing has happened."""
    close_attempt(payment, action, "nothing")
    return payment


def record_answer(payment: Payment, action: str, answer: gateways.Answer) -> Payment:
    """
    What the provider says of the charge. An answer that comes late, or twice, changes nothing, but for money that was
    taken or held after the payment had ended: that is booked, and wanted undone.

    Raises WrongAmount where it is of another amount: nothing is booked, and the payment is marked for a person.
    """
    _require_amount(payment, action, answer)
    with transaction.atomic(using=ALIAS):
        current = locked(payment)
        close_attempt(current, action, answer.state)
        if current.status in {contract.CAPTURED, contract.REFUNDED} or answer.state == current.status:
            return current
        if current.status == contract.AUTHORIZED and answer.state in {gateways.DECLINED, gateways.PENDING}:
            # It is of the time before the money was held: whoever brings it was asleep.
            return current
        if current.status in {contract.VOIDED, contract.FAILED}:
            if answer.state not in {gateways.CAPTURED, gateways.AUTHORIZED}:
                return current
            current.intent = Payment.VOID
            current.save(using=ALIAS, update_fields=["intent"])
            # No process waits for it any more: a timer sees to it that it is undone.
            record_lateness(current)
        _settle(current, answer)
    return current


def record_lateness(payment: Payment) -> None:
    """Something happened to it that could not be looked up just now: it is looked at soon."""
    Payment.objects.using(ALIAS).filter(pk=payment.pk).update(look_at=Now() + LOOK_AFTER)


def take_due_looks(*, limit: int) -> list[Payment]:
    """
    Payments that are to be looked at once more, each given to one caller only. What has come undone is looked at less
    and less often, what has still to be undone again and again.
    """
    with transaction.atomic(using=ALIAS):
        rows = list(
            Payment.objects.using(ALIAS)
            .select_for_update(skip_locked=True)
            .filter(look_at__lte=Now())
            .order_by("look_at", "id")[:limit]
        )
        taken = Payment.objects.using(ALIAS).filter(pk__in=[row.pk for row in rows])
        undone = Q(status__in=(contract.VOIDED, contract.FAILED))
        to_be_undone = ~undone & Q(intent=Payment.VOID) & ~Q(status=contract.REFUNDED)
        later = Greatest(Now() + LOOK_AFTER, Now() + (Now() - F("updated_at")))
        taken.update(
            look_at=Case(
                When(to_be_undone, then=Now() + LOOK_AFTER),
                When(undone & Q(updated_at__gt=Now() - LOOK_UNTIL), then=later),
                default=Value(None),
            )
        )
    return rows


def take_in_webhook(provider: str, event_id: str) -> bool:
    """Whether this message is new."""
    return insert_once(WebhookReceipt(provider=provider, event_id=event_id), using=ALIAS)


# --- Inside a transaction -------------------------------------------------------------------------------------------


def locked(payment: Payment) -> Payment:
    return Payment.objects.using(ALIAS).select_for_update().get(pk=payment.pk)


def _settle(payment: Payment, answer: gateways.Answer) -> None:
    """Another status, its movement and its event."""
    if answer.state == gateways.CAPTURED:
        _capture(payment, answer)
    elif answer.state == gateways.AUTHORIZED:
        set_status(payment, contract.AUTHORIZED)
        publish(event(contract.PaymentAuthorized, payment), using=ALIAS)
    elif answer.state == gateways.DECLINED:
        _fail(payment, answer.reason or "payment_declined")
    elif answer.state == gateways.CANCELLED:
        _void(payment)
    else:
        set_status(payment, contract.PENDING)


def _capture(payment: Payment, answer: gateways.Answer) -> None:
    movement = Movement(
        payment=payment,
        kind=Movement.CAPTURE,
        key=f"{payment.key}:capture",
        amount=payment.amount,
        reference=answer.reference,
    )
    if insert_once(movement, using=ALIAS):
        post(movement, debit=LedgerLine.AT_PROVIDER, credit=LedgerLine.CUSTOMERS)
    set_status(payment, contract.CAPTURED)
    publish(event(contract.PaymentCaptured, payment), using=ALIAS)


def _fail(payment: Payment, reason: str) -> None:
    """What was accepted at first and is refused now has failed: it was not declined."""
    later = payment.status == contract.PENDING and reason == "payment_declined"
    set_status(payment, contract.FAILED, reason="payment_failed" if later else reason)
    publish(event(contract.PaymentFailed, payment, reason=payment.reason), using=ALIAS)


def _void(payment: Payment) -> None:
    """Nothing was taken. The provider may think again, so it is looked at later."""
    set_status(payment, contract.VOIDED)
    if payment.reference:
        record_lateness(payment)
    publish(event(contract.PaymentVoided, payment), using=ALIAS)


def _require_amount(payment: Payment, action: str, answer: gateways.Answer) -> None:
    """Where it is another one, the outcome is unknown, and the reason says why a person has to look."""
    if answer.amount == payment.money:
        return
    with transaction.atomic(using=ALIAS):
        current = locked(payment)
        close_attempt(current, action, WRONG_AMOUNT)
        status = contract.UNKNOWN if current.status == Payment.PROCESSING else current.status
        set_status(current, status, reason=WRONG_AMOUNT)
    raise WrongAmount(f"{payment.key} was to take {payment.money}, the provider says {answer.amount}")


def post(movement: Movement, *, debit: str, credit: str) -> None:
    """Both sides of a movement, in one statement."""
    LedgerLine.objects.using(ALIAS).bulk_create(
        [
            LedgerLine(movement=movement, account=debit, debit=movement.amount),
            LedgerLine(movement=movement, account=credit, credit=movement.amount),
        ]
    )


def set_status(payment: Payment, status: str, *, reason: str | None = None) -> None:
    payment.status, payment.reason = status, reason
    Payment.objects.using(ALIAS).filter(pk=payment.pk).update(status=status, reason=reason, updated_at=Now())


def attempt(payment: Payment, action: str) -> Attempt:
    return Attempt(payment=payment, action=action)


def close_attempt(payment: Payment, action: str, outcome: str) -> None:
    Attempt.objects.using(ALIAS).filter(payment=payment, action=action, ended_at=None).update(
        outcome=outcome, ended_at=Now()
    )


def event(kind: type, payment: Payment, **more: object) -> contract._PaymentEvent:
    facts = {"payment_id": payment.id, "order_id": payment.order_id, "amount": payment.money, **more}
    event = kind(**facts)
    assert isinstance(event, contract._PaymentEvent)
    return event
