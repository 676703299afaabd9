"""What a customer wishes to order, and what it comes to at the server's prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from django.conf import settings

from contracts._base import InvalidMoney, Money, Rejected
from contracts.inventory import QuotedProduct
from contracts.orders import OrderLine


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLine:
    """``unit_price`` only where an operator agreed one; else the catalogue's."""

    sku: str
    quantity: int
    unit_price: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An order as it is asked for. ``placed_by`` signed in and owns the key; ``user_id`` is whom the order is for."""

    placed_by: UUID
    user_id: UUID
    lines: tuple[WantedLine, ...]
    payment_method: str
    note: str = ""


class UnknownProducts(Rejected):
    """
    Some lines name products that are not sold.

    ``data["lines"]`` has their positions, from 0.
    """

    code: ClassVar[str] = "unknown_sku"


class TotalTooLarge(Rejected):
    """The order's total is more than can be booked."""

    code: ClassVar[str] = "total_too_large"


def priced(lines: Sequence[WantedLine], quoted: Sequence[QuotedProduct]) -> tuple[OrderLine, ...]:
    """At the catalogue's prices, or the ones agreed. Raises UnknownProducts, also for what is not sold any more."""
    products = {product.sku: product for product in quoted if product.active}
    if unknown := [position for position, line in enumerate(lines) if line.sku not in products]:
        raise UnknownProducts(lines=unknown)
    return tuple(
        OrderLine(
            sku=line.sku,
            name=products[line.sku].name,
            quantity=line.quantity,
            unit_price=line.unit_price or products[line.sku].price,
        )
        for line in lines
    )


def total_of(items: Sequence[OrderLine]) -> Money:
    """Raises TotalTooLarge."""
    try:
        return sum((line.unit_price * line.quantity for line in items), Money.zero(settings.SHOP_CURRENCY))
    except InvalidMoney:
        raise TotalTooLarge from None
