"""
Orders' promise to the other domains: it owns the order from the first click to the last parcel, and tells every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol
from uuid import UUID

from contracts._base import Event, Listener, Money, Overseen, Ref, Rejected

# --- Values ---------------------------------------------------------------------------------------------------------

PENDING = "pending"
CONFIRMED = "confirmed"
SHIPPED = "shipped"
DELIVERED = "delivered"
CANCELLED = "cancelled"
RETURNED = "returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order at the price that was agreed. ``name`` is the product's at that time."""

    sku: str
    name: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedLine:
    """Units of one line that came back, at the price that was paid for them."""

    sku: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    id: UUID
    user_id: UUID
    items: tuple[OrderLine, ...]
    total_amount: Money
    status: str
    reason: str | None
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAudit:
    """
    One order as V1, V9 and V12 read it.

    ``refunded``: what the order's own books say was given back of it. ``gapless``: its stream has versions 1 to n.
    ``folded``: the stream, folded, equals the read model. ``settled``: no process is still working on it. ``keys``:
    how many idempotency keys lead to it. ``paid`` is false while its money is held and not taken yet.
    """

    order_id: UUID
    status: str
    total: Money
    refunded: Money
    gapless: bool
    folded: bool
    settled: bool
    keys: int
    updated_at: datetime
    paid: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAuditPage:
    items: tuple[OrderAudit, ...]
    next: str | None


# --- Errors ---------------------------------------------------------------------------------------------------------


class OrderUnknown(Rejected):
    """No such order."""

    code: ClassVar[str] = "order_unknown"


# --- Events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _OrderEvent(Event):
    exchange: ClassVar[str] = "orders"
    order_id: UUID
    user_id: UUID

    @property
    def subject(self) -> str:
        return str(self.order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCreated(_OrderEvent):
    name: ClassVar[str] = "OrderCreated"
    routing_key: ClassVar[str] = "order.created"
    total_amount: Money
    items: tuple[OrderLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed(_OrderEvent):
    """``paid`` is false where the money is held and is taken at shipment."""

    name: ClassVar[str] = "OrderConfirmed"
    routing_key: ClassVar[str] = "order.confirmed"
    paid: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled(_OrderEvent):
    """``reason`` is a stable code, ``skus`` the products that were missing where that was it."""

    name: ClassVar[str] = "OrderCancelled"
    routing_key: ClassVar[str] = "order.cancelled"
    reason: str
    skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPacked(_OrderEvent):
    """The parcel is ready; the money that is held is taken now. Until that has ended the order cannot be cancelled."""

    name: ClassVar[str] = "OrderPacked"
    routing_key: ClassVar[str] = "order.packed"
    shipment_id: UUID
    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnpaid(_OrderEvent):
    """The money could not be taken, so the parcel stays here. ``reason`` is a stable code."""

    name: ClassVar[str] = "OrderUnpaid"
    routing_key: ClassVar[str] = "order.unpaid"
    shipment_id: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderShipped(_OrderEvent):
    name: ClassVar[str] = "OrderShipped"
    routing_key: ClassVar[str] = "order.shipped"
    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDelivered(_OrderEvent):
    name: ClassVar[str] = "OrderDelivered"
    routing_key: ClassVar[str] = "order.delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReturned(_OrderEvent):
    """
    Goods came back after delivery. ``refund`` is what they had cost; ``whole`` says that nothing is left to return.
    """

    name: ClassVar[str] = "OrderReturned"
    routing_key: ClassVar[str] = "order.returned"
    return_id: UUID
    items: tuple[ReturnedLine, ...]
    refund: Money
    whole: bool


# --- Promise --------------------------------------------------------------------------------------------------------


class OrderService(Listener, Overseen, Protocol):
    def get(self, *, order_id: UUID) -> Order:
        """The order as it is. Raises OrderUnknown."""
        ...

    def audit(self, *, after: str | None, limit: int) -> OrderAuditPage:
        """The books of up to ``limit`` orders after that one. Changes nothing."""
        ...


ORDERS = Ref[OrderService]("orders")
