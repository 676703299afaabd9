"""
Inventory's promise to the other domains: it names the price, and holds stock until it is shipped or given back.

A reservation belongs to one order and never ends by itself: inventory cannot know whether a payment is under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol
from uuid import UUID

from contracts._base import Event, Listener, Money, Overseen, Ref, Rejected

# --- Values ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """So many units of one product. Quantity is 1 or more."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedProduct:
    sku: str
    name: str
    price: Money
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Stock held for an order. ``lines`` has each sku once. ``expires_at`` raises an alarm and frees nothing."""

    id: UUID
    order_id: UUID
    lines: tuple[Line, ...]
    state: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StockMoment:
    """
    Something that happened to an order's stock: it was held, given back, shipped, or came back. ``trace_id``: in which
    trace (W3C Trace Context).
    """

    at: datetime
    kind: str
    detail: str
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockAudit:
    """
    One sku's books, as V4 and V5 read them. All figures are units.

    The first four are the balances; the next four sum the movements by what caused them; ``held`` sums the lines of
    active reservations; ``moved_*`` are the balances that the movements alone would give.
    """

    sku: str
    on_hand: int
    reserved: int
    sold: int
    opening: int
    receipts: int
    returns: int
    adjustments: int
    held: int
    moved_on_hand: int
    moved_reserved: int
    moved_sold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockAuditPage:
    items: tuple[StockAudit, ...]
    next: str | None


# --- Errors ---------------------------------------------------------------------------------------------------------


class UnknownSku(Rejected):
    """
    There is no active product with this sku.

    ``data["skus"]`` names all that are missing.
    """

    code: ClassVar[str] = "unknown_sku"


class OutOfStock(Rejected):
    """
    Too few units are available. Nothing was reserved.

    ``data["skus"]`` names the products.
    """

    code: ClassVar[str] = "out_of_stock"


class ReservationClosed(Rejected):
    """This order's reservation was given back before, so it cannot be made again."""

    code: ClassVar[str] = "reservation_closed"


# --- Events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryUpdated(Event):
    """A sku's balances after a receipt, an adjustment, a shipment, a return or a correction. Units."""

    name: ClassVar[str] = "InventoryUpdated"
    exchange: ClassVar[str] = "inventory"
    routing_key: ClassVar[str] = "inventory.updated"
    sku: str
    on_hand: int
    reserved: int
    sold: int
    order_id: UUID | None = None

    @property
    def subject(self) -> str:
        return self.sku


@dataclass(frozen=True, slots=True, kw_only=True)
class _OrderStockEvent(Event):
    exchange: ClassVar[str] = "inventory"
    order_id: UUID
    items: tuple[Line, ...]

    @property
    def subject(self) -> str:
        return str(self.order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryReserved(_OrderStockEvent):
    name: ClassVar[str] = "InventoryReserved"
    routing_key: ClassVar[str] = "inventory.reserved"


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryReleased(_OrderStockEvent):
    name: ClassVar[str] = "InventoryReleased"
    routing_key: ClassVar[str] = "inventory.released"


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryInsufficient(_OrderStockEvent):
    """An order was refused for lack of stock. ``items`` are the lines that could not be held."""

    name: ClassVar[str] = "InventoryInsufficient"
    routing_key: ClassVar[str] = "inventory.insufficient"


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryLow(Event):
    """Fewer units of a product are available than its keepers want to see."""

    name: ClassVar[str] = "InventoryLow"
    exchange: ClassVar[str] = "inventory"
    routing_key: ClassVar[str] = "inventory.low"
    sku: str
    available: int

    @property
    def subject(self) -> str:
        return self.sku


# --- Promise --------------------------------------------------------------------------------------------------------


class InventoryService(Listener, Overseen, Protocol):
    def quote(self, *, skus: Sequence[str]) -> tuple[QuotedProduct, ...]:
        """Name, price and whether it is sold, for each sku that exists; an unknown sku is left out. Changes nothing."""
        ...

    def reserve(self, *, key: str, order_id: UUID, lines: Sequence[Line]) -> Reservation:
        """
        Hold stock for an order, all lines or none; lines of one sku are summed.

        The same key gives the same reservation again. Raises OutOfStock, UnknownSku, ReservationClosed. After
        Unavailable the stock may be held: ask again with the same key, or release.
        """
        ...

    def release(self, *, key: str, order_id: UUID) -> None:
        """
        Give an order's stock back. Done before, or nothing was ever held: the same quiet answer.

        Leaves a mark where nothing was held yet, so that a reserve that comes late is refused (ReservationClosed).
        """
        ...

    def history(self, *, order_id: UUID) -> tuple[StockMoment, ...]:
        """What happened to the stock of this order, in order of time. Changes nothing."""
        ...

    def audit(self, *, after: str | None, limit: int) -> StockAuditPage:
        """The books of up to ``limit`` skus after that one, in order of sku. Changes nothing."""
        ...


INVENTORY = Ref[InventoryService]("inventory")
