"""What payments looks up. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Sum

from apps.payments.gateways import Answer, Entry, ProviderSilent
from apps.payments.models import Attempt, LedgerLine, Movement, Payment, Refund, WebhookReceipt
from contracts._base import Money, first_id
from contracts.payments import (
    CAPTURED,
    MovementAudit,
    PaymentAudit,
    PaymentAuditPage,
    PaymentMoment,
    PaymentUnknown,
    ProviderEntry,
)
from runtime.databases import keyset
from runtime.databases.clock import database_time
from runtime.databases.keyset import Page, PageRequest

ALIAS = "payments"
_MOST_QUESTIONS = 1000


def by_key(key: str) -> Payment | None:
    return Payment.objects.using(ALIAS).filter(key=key).first()


def by_any_key(key: str) -> Payment | None:
    """The payment with this key, or with a refund of this key."""
    payment = by_key(key)
    if payment is None and (refund := Refund.objects.using(ALIAS).select_related("payment").filter(key=key).first()):
        return refund.payment
    return payment


def is_taken_in(provider: str, event_id: str) -> bool:
    """Whether this message of the provider's has been dealt with."""
    return WebhookReceipt.objects.using(ALIAS).filter(provider=provider, event_id=event_id).exists()


def reread(payment: Payment) -> Payment:
    """The payment as it is now."""
    return Payment.objects.using(ALIAS).get(pk=payment.pk)


def questions_of_late(within: timedelta) -> list[tuple[datetime, str]]:
    """What the provider was asked and has answered or not, the newest first: when, and what came of it."""
    since = first_id(database_time(ALIAS) - within)
    rows = Attempt.objects.using(ALIAS).filter(pk__gte=since, outcome__isnull=False).order_by("-pk")
    return [(at, outcome or "") for at, outcome in rows.values_list("started_at", "outcome")[:_MOST_QUESTIONS]]


def refund(refund_id: UUID) -> Refund:
    return Refund.objects.using(ALIAS).select_related("payment").get(pk=refund_id)


def refund_by_key(key: str) -> Refund:
    return Refund.objects.using(ALIAS).select_related("payment").get(key=key)


def history(order_id: UUID) -> tuple[PaymentMoment, ...]:
    found: list[PaymentMoment] = []
    for payment in _whole().filter(order_id=order_id):
        found += [
            PaymentMoment(
                at=row.started_at,
                kind=f"payment.{row.action}",
                detail=row.outcome or "no answer is known of",
                trace_id=row.trace_id,
            )
            for row in payment.attempts.all()
        ]
        found += [
            PaymentMoment(
                at=row.made_at,
                kind=f"payment.{row.kind}",
                detail=str(Money(row.amount, payment.currency)),
                trace_id=row.trace_id,
            )
            for row in payment.movements.all()
        ]
    return tuple(sorted(found, key=lambda moment: moment.at))


def owes_a_first_refund(payment: Payment) -> bool:
    """It was taken against our intent, and whoever saw that did not live to write the refund down."""
    if payment.status != CAPTURED or payment.intent != Payment.VOID:
        return False
    return not Refund.objects.using(ALIAS).filter(payment=payment, key=f"{payment.key}:refund").exists()


def payments(*, user_id: UUID | None, order_id: UUID | None, page: PageRequest) -> Page[Payment]:
    rows = _whole()
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    if order_id is not None:
        rows = rows.filter(order_id=order_id)
    return keyset.slice(rows, field="id", descending=True, request=page)


def payment(*, payment_id: UUID, user_id: UUID | None) -> Payment:
    rows = _whole().filter(pk=payment_id)
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    found = rows.first()
    if found is None:
        raise PaymentUnknown
    return found


def _whole() -> QuerySet[Payment]:
    """With its attempts, movements and refunds."""
    return Payment.objects.using(ALIAS).prefetch_related(
        Prefetch("attempts", Attempt.objects.using(ALIAS).order_by("id")),
        Prefetch("movements", Movement.objects.using(ALIAS).order_by("id")),
        Prefetch("refunds", Refund.objects.using(ALIAS).order_by("id")),
    )


def audit(
    *, after: str | None, limit: int, provider: str, look_up: Callable[[Payment], Answer | None]
) -> PaymentAuditPage:
    """``provider`` is the one in use: the movements that were made there have to stand in its list."""
    rows = Payment.objects.using(ALIAS).order_by("id").prefetch_related("movements__ledger")
    if after is not None:
        rows = rows.filter(id__gt=UUID(after))
    page = list(rows[:limit])
    items = tuple(_audit_row(row, provider, look_up) for row in page)
    return PaymentAuditPage(items=items, next=str(page[-1].id) if len(page) == limit else None)


def _audit_row(row: Payment, provider: str, look_up: Callable[[Payment], Answer | None]) -> PaymentAudit:
    captures = [m for m in row.movements.all() if m.kind == Movement.CAPTURE]
    refunds = [m for m in row.movements.all() if m.kind == Movement.REFUND]
    captured, refunded = _theirs(row, look_up)
    return PaymentAudit(
        payment_id=row.id,
        order_id=row.order_id,
        status=row.status,
        amount=row.money,
        captures=len(captures),
        captured=_total(captures, row.currency),
        refunds=len(refunds),
        refunded=_total(refunds, row.currency),
        provider_captured=captured,
        provider_refunded=refunded,
        **_ledger(row),
        updated_at=row.updated_at,
        movements=tuple(_moved(m, row.currency) for m in row.movements.all()) if row.provider == provider else (),
    )


def _moved(movement: Movement, currency: str) -> MovementAudit:
    amount = Money(movement.amount, currency)
    return MovementAudit(reference=movement.reference, kind=movement.kind, amount=amount, made_at=movement.made_at)


def beside_ours(entries: Iterable[Entry]) -> tuple[ProviderEntry, ...]:
    """Each entry of the provider's list with what we have booked of it: the same key, kind and reference."""
    listed = [(entry, f"{entry.key}:capture" if entry.kind == Movement.CAPTURE else entry.key) for entry in entries]
    rows = Movement.objects.using(ALIAS).select_related("payment").filter(key__in=[key for _, key in listed])
    booked = {(row.key, row.kind, row.reference): Money(row.amount, row.payment.currency) for row in rows}
    return tuple(
        ProviderEntry(
            reference=entry.reference,
            key=entry.key,
            kind=entry.kind,
            amount=entry.amount,
            made_at=entry.made_at,
            booked=booked.get((key, entry.kind, entry.reference)),
        )
        for entry, key in listed
    )


def _ledger(row: Payment) -> dict[str, Any]:
    """What the double-entry ledger says of this payment."""
    entries = [list(movement.ledger.all()) for movement in row.movements.all()]
    lines = [line for entry in entries for line in entry]
    at_provider = [line for line in lines if line.account == LedgerLine.AT_PROVIDER]
    return {
        "debits": _money((line.debit for line in lines), row.currency),
        "credits": _money((line.credit for line in lines), row.currency),
        "uneven": sum(sum(line.debit - line.credit for line in entry) != 0 for entry in entries),
        "held": _money((line.debit - line.credit for line in at_provider), row.currency),
    }


def moved_since(moment: datetime) -> tuple[Money, Money]:
    """What was captured and what was refunded since then, in the shop's currency."""
    rows = Movement.objects.using(ALIAS).filter(made_at__gte=moment, payment__currency=settings.SHOP_CURRENCY)
    sums = dict(rows.values_list("kind").annotate(total=Sum("amount")))
    captured, refunded = (sums.get(kind, Decimal("0.00")) for kind in (Movement.CAPTURE, Movement.REFUND))
    return Money(captured, settings.SHOP_CURRENCY), Money(refunded, settings.SHOP_CURRENCY)


def left_of(payment: Payment) -> Money:
    """What of a payment could still be given back: nothing of one that was not captured."""
    if payment.status != CAPTURED:
        return Money.zero(payment.currency)
    refunds = Refund.objects.using(ALIAS).filter(payment=payment)
    return payment.money - _money(refunds.values_list("amount", flat=True), payment.currency)


def count_by_status() -> dict[str, int]:
    rows = Payment.objects.using(ALIAS).values_list("status").annotate(count=Count("id"))
    return dict(rows)


def owed_refunds() -> QuerySet[Refund]:
    """The refunds of a payment that were promised and not given yet: a question inside another one about payments."""
    return Refund.objects.using(ALIAS).filter(payment=OuterRef("pk"), done_at=None)


def count_owed_refunds() -> int:
    return Refund.objects.using(ALIAS).filter(done_at=None).count()


def ledger_of(movement: Movement) -> list[LedgerLine]:
    return list(LedgerLine.objects.using(ALIAS).filter(movement=movement).order_by("id"))


def _money(amounts: Iterable[Decimal], currency: str) -> Money:
    return Money(sum(amounts, Decimal("0.00")), currency)


def _theirs(row: Payment, look_up: Callable[[Payment], Answer | None]) -> tuple[Money | None, Money | None]:
    nothing = Money.zero(row.currency)
    try:
        answer = look_up(row)
    except ProviderSilent:
        return None, None
    if answer is None or answer.state != "captured":
        return nothing, nothing
    return answer.amount, answer.refunded


def _total(rows: list[Movement], currency: str) -> Money:
    return _money((row.amount for row in rows), currency)
