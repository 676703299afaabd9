"""What inventory looks up. Nothing here changes anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchQuery
from django.db import connections
from django.db.models import Count, F, Q, Sum

from apps.inventory.models import Product, Reservation, Stock, StockMovement
from contracts.inventory import QuotedProduct, StockAudit, StockAuditPage, StockMoment, UnknownSku
from runtime.databases import keyset
from runtime.databases.clock import Now
from runtime.databases.keyset import Page, PageRequest
from runtime.databases.transactions import snapshot

ALIAS = "inventory"

MOST_WORDS = 8
FEW = 2_000
"""So many products can be put in order at once."""
_WORD = re.compile(r"[^\W_]+")


def quote(skus: Sequence[str]) -> tuple[QuotedProduct, ...]:
    rows = Product.objects.using(ALIAS).filter(sku__in=list(skus)).defer("search").order_by("sku")
    return tuple(QuotedProduct(sku=row.sku, name=row.name, price=row.price, active=row.active) for row in rows)


def products(*, search: str, page: PageRequest) -> Page[Product]:
    rows = Product.objects.using(ALIAS).filter(active=True).defer("search")
    if words := words_of(search):
        rows = rows.filter(search=words)
        found = list(rows.values_list("pk", flat=True)[: FEW + 1])
        if len(found) <= FEW:
            # Few: the index of words has found them all, and they are put in order. (Many: walking in order meets
            # some soon. The planner would walk for few as well, since it takes any unknown beginning for a common one.)
            rows = Product.objects.using(ALIAS).filter(pk__in=found).defer("search")
    return keyset.slice(rows, field="sku", descending=False, request=page)


def words_of(search: str) -> SearchQuery | None:
    """Each word may be the beginning of one in the name or the sku; None where there is none to look for."""
    words = _WORD.findall(search)[:MOST_WORDS]
    # The simple configuration stems nothing.
    return SearchQuery(" & ".join(f"{word}:*" for word in words), config="simple", search_type="raw") if words else None


def product(sku: str) -> Product:
    found = Product.objects.using(ALIAS).filter(sku=sku).defer("search").first()
    if found is None:
        raise UnknownSku(skus=[sku])
    return found


def stock(sku: str) -> Stock:
    found = Stock.objects.using(ALIAS).filter(sku=sku).first()
    if found is None:
        raise UnknownSku(skus=[sku])
    return found


def latest_movements(sku: str, *, limit: int) -> list[StockMovement]:
    return list(StockMovement.objects.using(ALIAS).filter(sku=sku).order_by("-id")[:limit])


def count_of_shelf() -> dict[str, int]:
    """How many products are sold, how many of these are low, and how many are out."""
    on_sale = Stock.objects.using(ALIAS).filter(sku__active=True)
    available = F("on_hand") - F("reserved")
    return on_sale.alias(left=available).aggregate(
        active=Count("sku"),
        low=Count("sku", filter=Q(left__gt=0, left__lte=F("sku__low_at"))),
        out=Count("sku", filter=Q(left__lte=0)),
    )


def count_overdue() -> int:
    """Reservations that are held for longer than they should be."""
    return Reservation.objects.using(ALIAS).filter(state=Reservation.HELD, expires_at__lte=Now()).count()


def history(order_id: UUID) -> tuple[StockMoment, ...]:
    rows = StockMovement.objects.using(ALIAS).filter(order_id=order_id).order_by("id")
    return tuple(
        StockMoment(
            at=row.made_at,
            kind=f"stock.{row.kind}",
            detail=f"{row.sku_id}: on hand {row.on_hand:+d}, reserved {row.reserved:+d}, sold {row.sold:+d}",
            trace_id=row.trace_id,
        )
        for row in rows
    )


_HELD = """
SELECT line ->> 'sku', sum((line ->> 'quantity')::bigint)::bigint
FROM inventory_reservation, jsonb_array_elements(lines) AS line
WHERE state = 'held' AND line ->> 'sku' = ANY(%s)
GROUP BY 1
"""


def audit(*, after: str | None, limit: int) -> StockAuditPage:
    """All figures of a page are of one moment."""
    with snapshot(ALIAS), connections[ALIAS].cursor() as cursor:
        rows = Stock.objects.using(ALIAS).order_by("sku")
        if after is not None:
            rows = rows.filter(sku__gt=after)
        stocks = list(rows[:limit])
        skus = [row.sku_id for row in stocks]
        cursor.execute(_HELD, [skus])
        held: dict[str, int] = dict(cursor.fetchall())
        moved: dict[str, Mapping[str, Any]] = {row["sku"]: row for row in _movements(skus)}
    items = tuple(_audit_row(row, moved.get(row.sku_id, {}), held.get(row.sku_id, 0)) for row in stocks)
    return StockAuditPage(items=items, next=skus[-1] if len(skus) == limit else None)


def _movements(skus: list[str]) -> Sequence[Mapping[str, Any]]:
    def of(kind: str) -> Sum:
        return Sum("on_hand", filter=Q(kind=kind), default=0)

    return list(
        StockMovement.objects.using(ALIAS)
        .filter(sku__in=skus)
        .values("sku")
        .annotate(
            opening=of(StockMovement.OPENING),
            receipts=of(StockMovement.RECEIPT),
            returns=of(StockMovement.RETURN),
            adjustments=of(StockMovement.ADJUSTMENT),
            moved_on_hand=Sum("on_hand"),
            moved_reserved=Sum("reserved"),
            moved_sold=Sum("sold"),
        )
    )


def _audit_row(row: Stock, moved: Mapping[str, Any], held: int) -> StockAudit:
    return StockAudit(
        sku=row.sku_id,
        on_hand=row.on_hand,
        reserved=row.reserved,
        sold=row.sold,
        held=int(held),
        **{
            name: int(moved.get(name, 0))
            for name in (
                "opening",
                "receipts",
                "returns",
                "adjustments",
                "moved_on_hand",
                "moved_reserved",
                "moved_sold",
            )
        },
    )
