"""Where orders are kept: ``save`` appends to the stream, projects and publishes, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connections, transaction

from apps.orders.aggregate import EVENT_TYPES, UPCASTERS, OrderAggregate
from apps.orders.models import ForgottenUser, Order, OrderNote
from contracts.orders import OrderCreated, OrderLine, OrderReturned, OrderUnknown
from runtime.codec import to_plain
from runtime.databases.rows import insert_once
from runtime.eventstore import store as eventstore
from runtime.eventstore.store import Recorded, VersionConflict
from runtime.messaging import publish

ALIAS = "orders"

_CONFLICTS = 5
"""How often a decision is made anew because somebody else was first."""


def load(order_id: UUID) -> OrderAggregate:
    """Raises OrderUnknown."""
    recorded = history(order_id)
    return OrderAggregate.of(order_id, [entry.event for entry in recorded])


def history(order_id: UUID) -> list[Recorded]:
    """Raises OrderUnknown."""
    recorded = eventstore.load(order_id, types=EVENT_TYPES, upcasters=UPCASTERS, using=ALIAS)
    if not recorded:
        raise OrderUnknown
    return recorded


def save(order: OrderAggregate, *, expected_version: int) -> None:
    """
    Append what was decided, bring the read model up to it, and tell it. Raises VersionConflict.

    Every event of an order is told, so its place in the stream is its sequence.
    """
    if not order.decided:
        return
    recorded_at = eventstore.append(order.id, order.decided, expected_version=expected_version, using=ALIAS)
    _project(order, recorded_at=recorded_at, is_new=expected_version == 0)
    for sequence, event in enumerate(order.decided, start=expected_version + 1):
        publish(event, using=ALIAS, sequence=sequence)
    order.decided.clear()


def change(
    order_id: UUID,
    decide: Callable[[OrderAggregate], None],
    *,
    also: Callable[[OrderAggregate], None] = lambda order: None,
) -> OrderAggregate:
    """
    Load, decide, save, in one transaction, and ``also`` what belongs to it. Where somebody else was first, load and
    decide again.

    Raises OrderUnknown, what ``decide`` raises, and VersionConflict after five times in vain.
    """
    for attempt in range(1, _CONFLICTS + 1):
        try:
            with transaction.atomic(using=ALIAS):
                order = load(order_id)
                version = order.version
                decide(order)
                save(order, expected_version=version)
                also(order)
            return order
        except VersionConflict:
            if attempt == _CONFLICTS:
                raise
    raise AssertionError("unreachable: the last attempt returned or raised")


def write_note(order: OrderAggregate, kind: str, text: str) -> None:
    """What somebody wrote about this order, in the caller's transaction; not once its user was forgotten."""
    if not text:
        return
    assert order.user_id is not None
    _lock_words_about(order.user_id, "pg_advisory_xact_lock_shared")
    if not ForgottenUser.objects.using(ALIAS).filter(pk=order.user_id).exists():
        OrderNote(order_id=order.id, kind=kind, text=text).save(using=ALIAS, force_insert=True)


def forget_words_about(user_id: UUID) -> None:
    """Remove all notes on this user's orders, for good, in the caller's transaction. Twice is as good as once."""
    _lock_words_about(user_id, "pg_advisory_xact_lock")
    insert_once(ForgottenUser(user_id=user_id), using=ALIAS)
    orders = Order.objects.using(ALIAS).filter(user_id=user_id).values("id")
    OrderNote.objects.using(ALIAS).filter(order_id__in=orders).delete()


def _lock_words_about(user_id: UUID, lock: str) -> None:
    """Whoever writes a note right now is waited for, or waits and then finds the user forgotten."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"SELECT {lock}(hashtextextended(%s, 0))", [f"orders.words {user_id}"])


def row_of(order: OrderAggregate, *, created_at: datetime, updated_at: datetime) -> Order:
    """The read model's row of an order, as its events tell it; not stored."""
    assert order.total is not None
    assert order.user_id is not None
    assert order.status is not None
    return Order(
        id=order.id,
        user_id=order.user_id,
        items=to_plain(order.items, tuple[OrderLine, ...]),
        total=order.total.amount,
        currency=order.total.currency,
        status=order.status,
        reason=order.reason,
        skus=list(order.skus),
        returns=to_plain(order.returns, tuple[OrderReturned, ...]),
        version=order.version,
        created_at=created_at,
        updated_at=updated_at,
    )


def aggregate_of(recorded: Sequence[Recorded]) -> OrderAggregate:
    """What a stream, or its beginning, tells."""
    created = recorded[0].event
    assert isinstance(created, OrderCreated)
    return OrderAggregate.of(created.order_id, [entry.event for entry in recorded])


def folded(recorded: Sequence[Recorded]) -> Order:
    """The row that a stream, or its beginning, folds to."""
    return row_at(aggregate_of(recorded), recorded)


def row_at(order: OrderAggregate, recorded: Sequence[Recorded]) -> Order:
    """The row of an order that these events have told."""
    return row_of(order, created_at=recorded[0].recorded_at, updated_at=recorded[-1].recorded_at)


CHANGING = ("status", "reason", "skus", "returns", "version", "updated_at")
"""What of a row changes after the order was created."""


def _project(order: OrderAggregate, *, recorded_at: datetime, is_new: bool) -> None:
    row = row_of(order, created_at=recorded_at, updated_at=recorded_at)
    if is_new:
        row.save(using=ALIAS, force_insert=True)
    else:
        row.save(using=ALIAS, force_update=True, update_fields=CHANGING)
