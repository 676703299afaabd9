"""Inventory's contract, kept by something that asks no database: what a call costs besides is the call itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from contracts._base import Money, Overview, Unheard, new_id
from contracts.inventory import Line, QuotedProduct, Reservation, StockAuditPage, StockMoment

PRICE = Money(Decimal("12.50"), "GBP")
AT = datetime(2026, 1, 1, tzinfo=UTC)


class CannedInventory:
    """Answers at once, with values of the real size."""

    def quote(self, *, skus: Sequence[str]) -> tuple[QuotedProduct, ...]:
        return tuple(QuotedProduct(sku=sku, name=sku, price=PRICE, active=True) for sku in skus)

    def reserve(self, *, key: str, order_id: UUID, lines: Sequence[Line]) -> Reservation:
        return Reservation(id=new_id(), order_id=order_id, lines=tuple(lines), state="held", expires_at=AT)

    def release(self, *, key: str, order_id: UUID) -> None:
        return None

    def history(self, *, order_id: UUID) -> tuple[StockMoment, ...]:
        return ()

    def audit(self, *, after: str | None, limit: int) -> StockAuditPage:
        return StockAuditPage(items=(), next=None)

    def unheard(self, *, source: str, event_ids: tuple[UUID, ...]) -> Unheard:
        return Unheard(events=(), awaited=())

    def overview(self) -> Overview:
        return Overview(records=(), machinery=())


SERVICE = CannedInventory()
