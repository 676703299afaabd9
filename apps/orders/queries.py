"""What orders looks up. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, Sum
from django.db.models.functions import TruncHour

from apps.orders import repository
from apps.orders.aggregate import EVENT_TYPES, UPCASTERS, OrderAggregate
from apps.orders.models import Order, OrderKey, OrderNote, OrderRefund
from contracts import orders as contract
from contracts._base import Money, first_id, new_id
from runtime.databases import keyset
from runtime.databases.clock import database_time
from runtime.databases.keyset import Page, PageRequest
from runtime.databases.transactions import snapshot
from runtime.eventstore import store as eventstore
from runtime.eventstore.store import Recorded
from runtime.saga.store import unfinished_subjects

ALIAS = "orders"


def order(order_id: UUID, *, user_id: UUID | None = None) -> Order:
    """Raises OrderUnknown; also for somebody else's where ``user_id`` is given."""
    rows = Order.objects.using(ALIAS).filter(pk=order_id)
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    found = rows.first()
    if found is None:
        raise contract.OrderUnknown
    return found


def orders(*, user_id: UUID | None, status: str | None, page: PageRequest) -> Page[Order]:
    """The newest first: ids are made in order of time."""
    rows = Order.objects.using(ALIAS).all()
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    if status is not None:
        rows = rows.filter(status=status)
    return keyset.slice(rows, field="id", descending=True, request=page)


def notes(order_id: UUID) -> list[OrderNote]:
    """What people wrote about it, in order."""
    return list(OrderNote.objects.using(ALIAS).filter(order_id=order_id).order_by("id"))


def left_to_return(order_id: UUID) -> dict[str, int]:
    """Units by sku that were not returned yet. Raises OrderUnknown."""
    return repository.load(order_id).left_to_return()


def return_of(order_id: UUID, units: Mapping[str, int]) -> contract.OrderReturned:
    """
    What it comes to if so many units of these products come back now. Nothing is written down.

    Raises OrderUnknown, WrongStatus unless it is delivered, NotReturnable.
    """
    order = repository.load(order_id)
    order.take_back(return_id=new_id(), units=units)
    return order.returns[-1]


def left_of_payment(row: Order) -> Money:
    """What was not given back yet of the order's total, as far as payments has told."""
    booked = OrderRefund.objects.using(ALIAS).filter(order_id=row.id).aggregate(total=Sum("amount"))["total"]
    return Money(row.total - (booked or Decimal("0.00")), row.currency)


def count_by_status() -> dict[str, int]:
    rows = Order.objects.using(ALIAS).values_list("status").annotate(count=Count("id"))
    return dict(rows)


def count_by_hour(hours: int) -> dict[datetime, int]:
    """How many orders were placed in each of the last hours of the clock, by when it began, the current one last."""
    first = database_time(ALIAS).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours - 1)
    # By id, which has an index; one was made a moment before its order was written down.
    rows = Order.objects.using(ALIAS).filter(pk__gte=first_id(first - timedelta(minutes=1)), created_at__gte=first)
    counts = dict(rows.annotate(hour=TruncHour("created_at")).values_list("hour").annotate(count=Count("id")))
    began = [first + timedelta(hours=hour) for hour in range(hours)]
    return {hour: counts.get(hour, 0) for hour in began}


def count_by_refusal() -> dict[str, int]:
    """How many orders were cancelled for each reason, but for those whose owners changed their minds."""
    rows = Order.objects.using(ALIAS).filter(status=contract.CANCELLED).exclude(reason="cancelled")
    return dict(rows.order_by("reason").values_list("reason").annotate(count=Count("id")))


def as_contract(row: Order) -> contract.Order:
    return contract.Order(
        id=row.id,
        user_id=row.user_id,
        items=row.lines,
        total_amount=row.total_amount,
        status=row.status,
        reason=row.reason,
        version=row.version,
        created_at=row.created_at,
    )


def audit(*, after: str | None, limit: int) -> contract.OrderAuditPage:
    """All of a page is of one moment."""
    rows = Order.objects.using(ALIAS).order_by("id")
    if after is not None:
        rows = rows.filter(id__gt=UUID(after))
    with snapshot(ALIAS):
        page = list(rows[:limit])
        ids = [row.id for row in page]
        streams = eventstore.load_many(ids, types=EVENT_TYPES, upcasters=UPCASTERS, using=ALIAS)
        folded = {
            one: repository.aggregate_of(streams[one]) if one in streams else OrderAggregate(id=one) for one in ids
        }
        subjects = [subject for order in folded.values() for subject in order.subjects]
        busy = unfinished_subjects(subjects, using=ALIAS)
        refunded = dict(
            OrderRefund.objects.using(ALIAS)
            .filter(order_id__in=ids)
            .values_list("order_id")
            .annotate(total=Sum("amount"))
        )
        keys = set(OrderKey.objects.using(ALIAS).filter(order_id__in=ids).values_list("order_id", flat=True))
    items = tuple(
        _audit_row(
            row,
            folded[row.id],
            streams.get(row.id, []),
            refunded=refunded.get(row.id, Decimal("0.00")),
            settled=busy.isdisjoint(folded[row.id].subjects),
            keys=int(row.id in keys),
        )
        for row in page
    )
    return contract.OrderAuditPage(items=items, next=str(ids[-1]) if len(ids) == limit else None)


def _audit_row(
    row: Order, order: OrderAggregate, stream: list[Recorded], *, refunded: Decimal, settled: bool, keys: int
) -> contract.OrderAudit:
    versions = [entry.version for entry in stream]
    return contract.OrderAudit(
        order_id=row.id,
        status=row.status,
        total=row.total_amount,
        refunded=Money(refunded, row.currency),
        gapless=versions == list(range(1, len(versions) + 1)) and len(versions) == row.version,
        folded=_folds_to(row, order, stream),
        settled=settled,
        keys=keys,
        paid=order.paid,
        updated_at=row.updated_at,
    )


def _folds_to(row: Order, order: OrderAggregate, stream: list[Recorded]) -> bool:
    """Whether the stream says what the read model shows."""
    return bool(stream) and state_of(repository.row_at(order, stream)) == state_of(row)


def state_of(row: Order) -> tuple[object, ...]:
    """All of a row, to compare it with another."""
    return tuple(getattr(row, field.attname) for field in Order._meta.concrete_fields)
