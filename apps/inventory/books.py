"""
Whether stock is what its journal says: the balances of a sku against the sum of its movements.

Both change in one statement of one transaction, so any statement that reads both sees them agree. Where they do not,
somebody's SQL, a restored backup or a bug was there: the stock has *drifted*.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import OperationalError, connections, transaction
from django.db.models import Count, Min

from apps.inventory.models import Change, Stock, StockDrift, StockMovement, StockRound
from contracts._base import Rejected
from runtime.databases.clock import Now
from runtime.databases.rows import insert_once

log = logging.getLogger(__name__)

ALIAS = "inventory"

MOST_SKUS = 2_500
"""A look takes no more: some 30 ms where each has a few dozen movements."""
REST = 4.0
"""Seconds between two looks, whoever does them."""
REST_FOR_WORK = 20
"""And so many times what the last look took: it never takes more than a twentieth of one core."""


class NotDrifted(Rejected):
    """The stock is what its journal says: there is nothing to set."""

    code: ClassVar[str] = "not_drifted"


class DriftedOtherwise(Rejected):
    """The stock differs from its journal by something else than was shown: load the page again."""

    code: ClassVar[str] = "drifted_otherwise"


class JournalBroken(Rejected):
    """
    The journal cannot be the truth: it breaks a rule of the stock, or holds other units than the reservations do.

    ``data`` has its balances, and what is held.
    """

    code: ClassVar[str] = "journal_broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A sku's balances, and what its movements add up to. Units, of one moment."""

    balances: Change
    journal: Change

    @property
    def difference(self) -> Change:
        """What the balances lack: by so much each would change if it were set to the journal."""
        return Change(
            on_hand=self.journal.on_hand - self.balances.on_hand,
            reserved=self.journal.reserved - self.balances.reserved,
            sold=self.journal.sold - self.balances.sold,
        )

    @property
    def drifted(self) -> bool:
        return self.balances != self.journal


# --- One product ----------------------------------------------------------------------------------------------------

_COMPARE = """
SELECT s.on_hand, s.reserved, s.sold, j.on_hand, j.reserved, j.sold
FROM inventory_stock s, LATERAL (
    SELECT coalesce(sum(m.on_hand), 0)::bigint AS on_hand, coalesce(sum(m.reserved), 0)::bigint AS reserved,
           coalesce(sum(m.sold), 0)::bigint AS sold
    FROM inventory_stockmovement m WHERE m.sku = s.sku) j
WHERE s.sku = %s
"""
_HELD = """
SELECT coalesce(sum((line ->> 'quantity')::bigint), 0)::bigint
FROM inventory_reservation, jsonb_array_elements(lines) AS line
WHERE state = 'held' AND line ->> 'sku' = %s
"""


def compared(sku: str) -> Compared:
    """In one statement. Of a sku without stock: noughts."""
    found = _row(_COMPARE, [sku]) or (0,) * 6
    on_hand, reserved, sold, *journal = found
    balances = Change(on_hand=on_hand, reserved=reserved, sold=sold)
    return Compared(balances=balances, journal=Change(on_hand=journal[0], reserved=journal[1], sold=journal[2]))


def held(sku: str) -> int:
    """What the open reservations hold of it."""
    found = _row(_HELD, [sku])
    return int(found[0]) if found else 0


def drifted_since(sku: str) -> datetime | None:
    """When a look first saw it differ; None where no look has yet."""
    return StockDrift.objects.using(ALIAS).filter(pk=sku).values_list("found_at", flat=True).first()


def set_to_journal(stock: Stock, *, by: Change, key: str, reason: str) -> bool:
    """
    Set these balances to the sum of the movements, if that changes them by ``by`` and by nothing else. Writes a
    movement by nothing, so that the journal tells of it. Whether anything was done: not again under the same key.

    The row has to be locked. Raises NotDrifted, DriftedOtherwise, JournalBroken.
    """
    sku, key = stock.sku_id, f"{StockMovement.CORRECTION}:{key}"
    if StockMovement.objects.using(ALIAS).filter(key=key, sku=sku).exists():
        return False
    found = compared(sku)
    if not found.drifted:
        raise NotDrifted
    if found.difference != by:
        raise DriftedOtherwise
    _check(found.journal, units_held=held(sku))
    Stock.objects.using(ALIAS).filter(pk=sku).update(
        on_hand=found.journal.on_hand, reserved=found.journal.reserved, sold=found.journal.sold
    )
    Stock.objects.move({sku: Change()}, kind=StockMovement.CORRECTION, key=key, reason=reason)
    StockDrift.objects.using(ALIAS).filter(pk=sku).delete()
    return True


def _check(journal: Change, *, units_held: int) -> None:
    if not 0 <= journal.reserved <= journal.on_hand or journal.sold < 0 or journal.reserved != units_held:
        raise JournalBroken(on_hand=journal.on_hand, reserved=journal.reserved, sold=journal.sold, held=units_held)


# --- All of them ----------------------------------------------------------------------------------------------------

_LAST_OF_SLICE = "SELECT sku FROM inventory_stock WHERE sku > %s ORDER BY sku OFFSET %s LIMIT 1"

# One statement, so one moment for balances, movements and marks. Noughts where nothing has moved yet.
_LOOK = """
WITH differing AS MATERIALIZED (
    SELECT s.sku FROM inventory_stock s LEFT JOIN (
        SELECT sku, sum(on_hand) AS on_hand, sum(reserved) AS reserved, sum(sold) AS sold
        FROM inventory_stockmovement WHERE {slice} GROUP BY sku) j USING (sku)
    WHERE {slice} AND (s.on_hand <> coalesce(j.on_hand, 0) OR s.reserved <> coalesce(j.reserved, 0)
                       OR s.sold <> coalesce(j.sold, 0))
), agreeing AS (
    DELETE FROM inventory_stockdrift WHERE {slice} AND sku NOT IN (SELECT sku FROM differing)
)
INSERT INTO inventory_stockdrift (sku, found_at) SELECT sku, clock_now() FROM differing ORDER BY sku
ON CONFLICT (sku) DO NOTHING
RETURNING sku
"""
_FROM_HERE = _LOOK.format(slice="sku > %(after)s AND sku <= %(last)s")
_TO_THE_END = _LOOK.format(slice="sku > %(after)s")


_CANCELLED = "57014"
"""query_canceled: the statement took longer than it may (PostgreSQL manual, appendix A)."""


def look() -> None:
    """
    Compare the next slice of the catalogue, if that is due and nobody else is at it: what differs is marked with the
    time when that was first seen, and what agrees again is not. A slice that takes too long is tried in smaller ones.
    """
    found: list[str] = []
    with transaction.atomic(using=ALIAS):
        turn = _claimed()
        if turn is None:
            return
        began = time.perf_counter()
        last = _row(_LAST_OF_SLICE, [turn.after, turn.skus - 1])
        after, skus = last[0] if last else "", min(MOST_SKUS, turn.skus * 2)
        try:
            with transaction.atomic(using=ALIAS):
                found = _marked(turn.after, last[0] if last else None)
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", None) != _CANCELLED:
                raise
            if turn.skus > 1:
                after, skus = turn.after, max(1, turn.skus // 10)
            else:
                log.error("the journal of the first sku after %r is too long to be added up", turn.after)
        _next(turn, after=after, skus=skus, took=time.perf_counter() - began)
    for sku in found:
        log.error("the stock of %s is not what its movements add up to", sku)


def drifted() -> tuple[int, datetime | None]:
    """How many are marked, and since when the first of them is."""
    found = StockDrift.objects.using(ALIAS).aggregate(many=Count("sku"), since=Min("found_at"))
    return found["many"], found["since"]


def _claimed() -> StockRound | None:
    rounds = StockRound.objects.using(ALIAS)
    if not rounds.exists():
        insert_once(StockRound(id=1, skus=MOST_SKUS), using=ALIAS)
    return rounds.select_for_update(skip_locked=True).filter(due_at__lte=Now()).first()


def _marked(after: str, last: str | None) -> list[str]:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(_TO_THE_END if last is None else _FROM_HERE, {"after": after, "last": last})
        return [found[0] for found in cursor.fetchall()]


def _next(turn: StockRound, *, after: str, skus: int, took: float) -> None:
    rest = timedelta(seconds=max(REST, REST_FOR_WORK * took))
    StockRound.objects.using(ALIAS).filter(pk=turn.pk).update(after=after, skus=skus, due_at=Now() + rest)


def _row(statement: str, parameters: list[Any]) -> tuple[Any, ...] | None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(statement, parameters)
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found
