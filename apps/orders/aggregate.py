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
    RETURNED,
    SHIPPED,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderLine,
    OrderPacked,
    OrderReturned,
    OrderShipped,
    OrderUnpaid,
    ReturnedLine,
)
from runtime.codec.upcasting import Upcasters

EVENT_TYPES: Mapping[str, type[Event]] = {
    event.name: event
    for event in (
        OrderCreated,
        OrderConfirmed,
        OrderCancelled,
        OrderPacked,
        OrderUnpaid,
        OrderShipped,
        OrderDelivered,
        OrderReturned,
    )
}

UPCASTERS: Upcasters = {}
"""How an event of an older version becomes one of the next; see runtime.eventstore."""


class WrongStatus(Rejected):
    """The order's status does not allow this."""

    code: ClassVar[str] = "wrong_status"


class NotReturnable(Rejected):
    """
    More units are to be returned than there are left.

    ``data["skus"]`` names the products.
    """

    code: ClassVar[str] = "not_returnable"


@dataclass(slots=True, kw_only=True)
class OrderAggregate:
    """
    ``version`` counts the events applied; ``decided`` are those that are not stored yet. ``paid``: its money was taken,
    and not only held. ``shipment``: the one under way, whose money is being taken.
    """

    id: UUID
    user_id: UUID | None = None
    items: tuple[OrderLine, ...] = ()
    total: Money | None = None
    status: str | None = None
    reason: str | None = None
    skus: tuple[str, ...] = ()
    paid: bool = False
    shipment: OrderPacked | None = None
    shipments: tuple[UUID, ...] = ()
    returns: tuple[OrderReturned, ...] = ()
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

    def confirm(self, *, paid: bool = True) -> None:
        """Confirmed already: nothing happens. Raises WrongStatus for one that was cancelled meanwhile."""
        if self.status == PENDING:
            self._decide(OrderConfirmed(order_id=self.id, user_id=self._owner, paid=paid))
        elif self.status == CANCELLED:
            raise WrongStatus(f"order {self.id} is cancelled", status=self.status)

    def cancel(self, *, reason: str, skus: tuple[str, ...] = ()) -> None:
        """Cancelled already: nothing happens. Raises WrongStatus once it was shipped, or is being shipped."""
        if self.shipment is not None:
            raise WrongStatus("an order that is being shipped can no longer be cancelled", status=self.status)
        if self.status in {PENDING, CONFIRMED}:
            self._decide(OrderCancelled(order_id=self.id, user_id=self._owner, reason=reason, skus=skus))
        elif self.status != CANCELLED:
            raise WrongStatus(f"an order that is {self.status} can no longer be cancelled", status=self.status)

    def ship(self, *, carrier: str, tracking_number: str) -> None:
        """Raises WrongStatus unless it is confirmed and paid."""
        self._require_shippable()
        if not self.paid:
            raise WrongStatus(f"the money of order {self.id} is held and not taken yet", status=self.status)
        self._decide(
            OrderShipped(order_id=self.id, user_id=self._owner, carrier=carrier, tracking_number=tracking_number)
        )

    def pack(self, *, shipment_id: UUID, carrier: str, tracking_number: str) -> None:
        """The money is taken first. Raises WrongStatus unless it is confirmed and no shipment of it is under way."""
        self._require_shippable()
        self._decide(
            OrderPacked(
                order_id=self.id,
                user_id=self._owner,
                shipment_id=shipment_id,
                carrier=carrier,
                tracking_number=tracking_number,
            )
        )

    def ship_packed(self, *, shipment_id: UUID) -> None:
        """The money of this shipment was taken. Shipped already: nothing happens."""
        if self.shipment is not None and self.shipment.shipment_id == shipment_id:
            told = {"carrier": self.shipment.carrier, "tracking_number": self.shipment.tracking_number}
            self._decide(OrderShipped(order_id=self.id, user_id=self._owner, **told))

    def leave_unpaid(self, *, shipment_id: UUID, reason: str) -> None:
        """The money of this shipment was refused. Ended already: nothing happens."""
        if self.shipment is not None and self.shipment.shipment_id == shipment_id:
            self._decide(OrderUnpaid(order_id=self.id, user_id=self._owner, shipment_id=shipment_id, reason=reason))

    def deliver(self) -> None:
        """Raises WrongStatus unless it is shipped."""
        self._require(SHIPPED, "delivered")
        self._decide(OrderDelivered(order_id=self.id, user_id=self._owner))

    def take_back(self, *, return_id: UUID, units: Mapping[str, int]) -> None:
        """
        So many units of these products came back. The same return again: nothing happens.

        Raises WrongStatus unless it is delivered, NotReturnable for more than is left.
        """
        if any(made.return_id == return_id for made in self.returns):
            return
        self._require(DELIVERED, "returned")
        left = self.left_to_return()
        if missing := sorted(sku for sku, wanted in units.items() if wanted > left.get(sku, 0)):
            raise NotReturnable(skus=missing)
        items = self._paid_for(units)
        self._decide(
            OrderReturned(
                order_id=self.id,
                user_id=self._owner,
                return_id=return_id,
                items=items,
                refund=sum((line.unit_price * line.quantity for line in items), Money.zero(self._total.currency)),
                whole=sum(units.values()) == sum(left.values()),
            )
        )

    def left_to_return(self) -> dict[str, int]:
        """Units by sku that were not returned yet."""
        left: dict[str, int] = {}
        for line in self.items:
            left[line.sku] = left.get(line.sku, 0) + line.quantity
        for made in self.returns:
            for back in made.items:
                left[back.sku] -= back.quantity
        return left

    def _paid_for(self, units: Mapping[str, int]) -> tuple[ReturnedLine, ...]:
        """The units at the prices that were paid: a sku may stand at two; the first lines come back first."""
        gone = {sku: sum(b.quantity for r in self.returns for b in r.items if b.sku == sku) for sku in units}
        wanted, found = dict(units), []
        for line in self.items:
            passed = min(gone.get(line.sku, 0), line.quantity)
            taken = min(wanted.get(line.sku, 0), line.quantity - passed)
            if line.sku in gone:
                gone[line.sku] -= passed
            if taken:
                wanted[line.sku] -= taken
                found.append(ReturnedLine(sku=line.sku, quantity=taken, unit_price=line.unit_price))
        return tuple(found)

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
        self.status, self.paid = CONFIRMED, event.paid

    def _cancelled(self, event: OrderCancelled) -> None:
        self.status, self.reason, self.skus = CANCELLED, event.reason, event.skus

    def _shipped(self, event: OrderShipped) -> None:
        self.status, self.paid, self.shipment = SHIPPED, True, None

    def _packed(self, event: OrderPacked) -> None:
        self.shipment, self.shipments = event, (*self.shipments, event.shipment_id)

    def _unpaid(self, event: OrderUnpaid) -> None:
        self.shipment = None

    def _delivered(self, event: OrderDelivered) -> None:
        self.status = DELIVERED

    def _returned(self, event: OrderReturned) -> None:
        self.returns = (*self.returns, event)
        if event.whole:
            self.status = RETURNED

    # --- Small words ------------------------------------------------------------------------------------------------

    @property
    def subjects(self) -> tuple[UUID, ...]:
        """Whom the order's processes are about: itself, its shipments, its returns."""
        return (self.id, *self.shipments, *(made.return_id for made in self.returns))

    @property
    def _owner(self) -> UUID:
        assert self.user_id is not None, f"order {self.id} was not created"
        return self.user_id

    @property
    def _total(self) -> Money:
        assert self.total is not None, f"order {self.id} was not created"
        return self.total

    def _require_shippable(self) -> None:
        self._require(CONFIRMED, "shipped")
        if self.shipment is not None:
            raise WrongStatus(f"order {self.id} is being shipped already", status=self.status)

    def _require(self, status: str, wanted: str) -> None:
        if self.status != status:
            raise WrongStatus(f"an order that is {self.status} cannot be {wanted}", status=self.status)


_APPLY: dict[type[Event], Callable[[OrderAggregate, Any], None]] = {
    OrderCreated: OrderAggregate._created,
    OrderConfirmed: OrderAggregate._confirmed,
    OrderCancelled: OrderAggregate._cancelled,
    OrderPacked: OrderAggregate._packed,
    OrderUnpaid: OrderAggregate._unpaid,
    OrderShipped: OrderAggregate._shipped,
    OrderDelivered: OrderAggregate._delivered,
    OrderReturned: OrderAggregate._returned,
}
