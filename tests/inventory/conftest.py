from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.inventory.models import Reservation, Stock, StockMovement
from apps.inventory.service import SERVICE
from contracts._base import Money
from contracts.inventory import Line
from runtime.messaging.models import OutboxMessage


class Shelf:
    """The catalogue and the stock behind it, and what is written down of them."""

    service = SERVICE

    def product(self, sku: str, *, stock: int = 0, price: str = "10.00", active: bool = True) -> str:
        money = Money(Decimal(price), "GBP")
        SERVICE.add_product(sku=sku, name=f"Product {sku}", description="", price=money, active=active)
        if stock:
            SERVICE.open_stock(key="test", sku=sku, quantity=stock)
        return sku

    def reserve(self, order_id: UUID | None = None, *, key: str = "k", **units: int) -> Any:
        lines = [Line(sku=sku, quantity=quantity) for sku, quantity in units.items()]
        return SERVICE.reserve(key=key, order_id=order_id or uuid4(), lines=lines)

    def release(self, order_id: UUID, *, key: str = "r") -> None:
        SERVICE.release(key=key, order_id=order_id)

    def balances(self, sku: str) -> tuple[int, int, int]:
        """On hand, reserved, sold."""
        row = Stock.objects.using("inventory").get(pk=sku)
        return row.on_hand, row.reserved, row.sold

    def movements(self, sku: str) -> list[tuple[str, int, int, int]]:
        """Without the opening: kind, and by how much on hand, reserved and sold changed."""
        rows = StockMovement.objects.using("inventory").filter(sku=sku).exclude(kind="opening").order_by("id")
        return [(row.kind, row.on_hand, row.reserved, row.sold) for row in rows]

    def state(self, order_id: UUID) -> str:
        return Reservation.objects.using("inventory").get(pk=order_id).state

    def told(self, event_type: str) -> list[dict[str, Any]]:
        """The data of each event of this type, in order."""
        rows = OutboxMessage.objects.using("inventory").filter(event_type=event_type).order_by("created_at", "sequence")
        return [row.data for row in rows]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()
