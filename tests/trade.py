"""Goods, orders and payments as the services make them, for tests within this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts._base import Money

GOOD_CARD = "pm_card_visa"
PRICE = Money(Decimal("12.50"), "GBP")


@dataclass(frozen=True, slots=True)
class Trade:
    """``customer`` is an account that buys."""

    customer: UUID

    def product(self, *, stock: int = 10) -> str:
        """A new product's sku."""
        from apps.inventory.service import SERVICE

        sku = f"T-{uuid4().hex[:12].upper()}"
        SERVICE.add_product(sku=sku, name=f"Thing {sku}", description="", price=PRICE, active=True)
        if stock:
            SERVICE.restock(key=sku, sku=sku, quantity=stock, reason="delivered")
        return sku

    def stock(self, sku: str) -> Any:
        from apps.inventory.service import SERVICE

        return SERVICE.stock(sku=sku)

    def order(self, *, method: str = GOOD_CARD, units: int = 2, sku: str = "") -> Any:
        """An order as the service leaves it: confirmed with a good card."""
        from apps.orders.service import SERVICE
        from apps.orders.wishes import WantedLine, Wish

        wish = Wish(
            placed_by=self.customer,
            user_id=self.customer,
            lines=(WantedLine(sku=sku or self.product(), quantity=units),),
            payment_method=method,
            note="Ring twice.",
        )
        return SERVICE.place(wish, key=str(uuid4()), fingerprint="").order

    def shipped(self) -> Any:
        from apps.orders.service import SERVICE

        return SERVICE.ship(order_id=self.order().id, carrier="Royal Mail", tracking_number="RM1")

    def delivered(self, *, units: int = 2, sku: str = "") -> Any:
        from apps.orders.service import SERVICE

        order = self.order(units=units, sku=sku)
        SERVICE.ship(order_id=order.id, carrier="Royal Mail", tracking_number="RM1")
        return SERVICE.deliver(order_id=order.id)

    def again(self, order: Any) -> Any:
        """The order as it is now."""
        from apps.orders.service import SERVICE

        return SERVICE.order(order_id=order.id, user_id=None)

    def payment(self, order: Any) -> Any:
        from apps.payments.service import SERVICE
        from runtime.databases.keyset import PageRequest

        (payment,) = SERVICE.payments(user_id=None, order_id=order.id, page=PageRequest()).items
        return payment


@pytest.fixture
def trade(account: Callable[..., tuple[UUID, str]]) -> Trade:
    return Trade(account("customer")[0])
