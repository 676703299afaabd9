"""
The read model made anew from the streams, a few orders at a time, while the shop goes on.

The rows of a batch are locked, folded anew from their streams, compared and written; whoever changes one of these
orders meanwhile waits for that batch and no longer. New orders are not in the way: their rows are beyond the last
batch, or are met by it like any other.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from apps.orders import queries, repository
from apps.orders.aggregate import EVENT_TYPES, UPCASTERS
from apps.orders.models import Order
from runtime.eventstore import store as eventstore

ALIAS = "orders"
BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """``before`` and ``after`` are SHA-256 over all rows as they were met and as they were left. Seconds."""

    rows: int
    strayed: int
    before: str
    after: str
    longest: float


def rebuild(*, progress: Callable[[int], None]) -> Rebuilt:
    before, after = hashlib.sha256(), hashlib.sha256()
    rows = strayed = 0
    longest, last = 0.0, None
    while batch := eventstore.streams_after(last, limit=BATCH, using=ALIAS):
        started = time.monotonic()
        with transaction.atomic(using=ALIAS):
            for met, made in _rebuild_batch(batch):
                before.update(_as_bytes(met))
                after.update(_as_bytes(made))
                strayed += met is None or queries.state_of(met) != queries.state_of(made)
        longest = max(longest, time.monotonic() - started)
        rows, last = rows + len(batch), batch[-1]
        progress(rows)
    return Rebuilt(rows=rows, strayed=strayed, before=before.hexdigest(), after=after.hexdigest(), longest=longest)


def _rebuild_batch(ids: list[UUID]) -> list[tuple[Order | None, Order]]:
    """Each order's row as it was met, and as its stream makes it; written where they differ."""
    locked = Order.objects.using(ALIAS).select_for_update().filter(pk__in=ids).order_by("pk")
    met = {row.id: row for row in locked}
    # Read after the locks: whoever appended before has committed its row as well.
    streams = eventstore.load_many(ids, types=EVENT_TYPES, upcasters=UPCASTERS, using=ALIAS)
    pairs = [(met.get(order_id), repository.folded(streams[order_id])) for order_id in ids]
    for before, made in pairs:
        if before is None:
            made.save(using=ALIAS, force_insert=True)
        elif queries.state_of(before) != queries.state_of(made):
            made.save(using=ALIAS, force_update=True)
    return pairs


def _as_bytes(row: Order | None) -> bytes:
    state = None if row is None else queries.state_of(row)
    return json.dumps(state, sort_keys=True, default=str).encode()
