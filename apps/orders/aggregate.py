"""
The order as its events tell it. Plain Python: it decides, and changes only by applying what was decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self
from uuid import UUID

from contracts._base import Event, Money, Rejected
from contracts.orders import (
    CANCELLED,
    CONFIRMED,
    DELIVERED,
    PENDING,
    SHIPPED,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderLine,
    OrderShipped,
)

EVENT_TYPES: Mapping[str, type[Event]] = {
    event.name: event for event in (OrderCreated, OrderConfirmed, OrderCancelled, OrderShipped, OrderDelivered)
}


class WrongStatus(Rejected):
    """The order's status does not allow this."""

    code: ClassVar[str] = "wrong_status"


@dataclass(slots=True, kw_only=True)
class OrderAggregate:
    """``version`` counts the events applied; ``decided`` are those that are not stored yet."""

    id: UUID
    user_id: UUID | None = None
    items: tuple[OrderLine, ...] = ()
    total: Money | None = None
    status: str | None = None
    reason: str | None = None
    skus: tuple[str, ...] = ()
    version: int = 0
    decided: list[Event] = field(default_factory=list)

    @classmethod
    def of(cls, order_id: UUID, history: Iterable[Event]) -> Self:
        order = cls(id=order_id)
        for event in history:
            order._apply(event)
        return order

    # --- Decisions --------------------------------------------------------------------------------------------------

    def create(self, *, user_id: UUID, items: tuple[OrderLine, ...], total: Money) -> None:
        """Raises ValueError where the lines do not add up to the total."""
        if sum((line.unit_price * line.quantity for line in items), Money.zero(total.currency)) != total:
            raise ValueError(f"the lines of {self.id} do not add up to {total}")
        self._decide(OrderCreated(order_id=self.id, user_id=user_id, total_amount=total, items=items))

    def confirm(self) -> None:
        """Confirmed already: nothing happens. Raises WrongStatus for one that was cancelled meanwhile."""
        if self.status == PENDING:
            self._decide(OrderConfirmed(order_id=self.id, user_id=self._owner))
        elif self.status == CANCELLED:
            raise WrongStatus(f"order {self.id} is cancelled", status=self.status)

    def cancel(self, *, reason: str, skus: tuple[str, ...] = ()) -> None:
        """Cancelled already: nothing happens. Raises WrongStatus once it was shipped."""
        if self.status in {PENDING, CONFIRMED}:
            self._decide(OrderCancelled(order_id=self.id, user_id=self._owner, reason=reason, skus=skus))
        elif self.status != CANCELLED:
            raise WrongStatus(f"an order that is {self.status} can no longer be cancelled", status=self.status)

    def ship(self, *, carrier: str, tracking_number: str) -> None:
        """Raises WrongStatus unless it is confirmed."""
        self._require(CONFIRMED, "shipped")
        self._decide(
            OrderShipped(order_id=self.id, user_id=self._owner, carrier=carrier, tracking_number=tracking_number)
        )

    def deliver(self) -> None:
        """Raises WrongStatus unless it is shipped."""
        self._require(SHIPPED, "delivered")
        self._decide(OrderDelivered(order_id=self.id, user_id=self._owner))

    # --- What happened ----------------------------------------------------------------------------------------------

    def _decide(self, event: Event) -> None:
        self._apply(event)
        self.decided.append(event)

    def _apply(self, event: Event) -> None:
        _APPLY[type(event)](self, event)
        self.version += 1

    def _created(self, event: OrderCreated) -> None:
        if self.version:
            raise ValueError(f"order {self.id} was created before")
        self.user_id, self.items, self.total = event.user_id, event.items, event.total_amount
        self.status = PENDING

    def _confirmed(self, event: OrderConfirmed) -> None:
        self.status = CONFIRMED

    def _cancelled(self, event: OrderCancelled) -> None:
        self.status, self.reason, self.skus = CANCELLED, event.reason, event.skus

    def _shipped(self, event: OrderShipped) -> None:
        self.status = SHIPPED

    def _delivered(self, event: OrderDelivered) -> None:
        self.status = DELIVERED

    # --- Small words ------------------------------------------------------------------------------------------------

    @property
    def _owner(self) -> UUID:
        assert self.user_id is not None, f"order {self.id} was not created"
        return self.user_id

    def _require(self, status: str, wanted: str) -> None:
        if self.status != status:
            raise WrongStatus(f"an order that is {self.status} cannot be {wanted}", status=self.status)


_APPLY: dict[type[Event], Callable[[OrderAggregate, Any], None]] = {
    OrderCreated: OrderAggregate._created,
    OrderConfirmed: OrderAggregate._confirmed,
    OrderCancelled: OrderAggregate._cancelled,
    OrderShipped: OrderAggregate._shipped,
    OrderDelivered: OrderAggregate._delivered,
}
