"""The four domains in one process, asked as HTTP asks them; and what each of them wrote down."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from apps.inventory.models import Reservation, Stock
from apps.inventory.service import SERVICE as INVENTORY
from apps.orders.models import Order, OrderKey, OrderNote
from apps.orders.sagas import PlaceOrder
from apps.orders.service import SERVICE, Placed
from apps.orders.wishes import WantedLine, Wish
from apps.payments.models import Movement, Payment
from apps.users.models import User
from apps.users.service import SERVICE as USERS
from contracts._base import Money
from runtime.eventstore.models import StreamEvent
from runtime.messaging.models import OutboxMessage
from runtime.saga import store
from runtime.saga.engine import advance
from runtime.saga.models import SagaRun
from runtime.saga.run import Run


def pounds(text: str) -> Money:
    return Money(Decimal(text), "GBP")


class Shop:
    service = SERVICE

    def __init__(self) -> None:
        self.user_id = uuid4()
        USERS.import_account(user_id=self.user_id, email=f"{self.user_id}@example.com", name="A customer")

    # --- What there is ----------------------------------------------------------------------------------------------

    def product(self, sku: str = "A", *, stock: int = 10, price: str = "10.00", active: bool = True) -> str:
        INVENTORY.add_product(sku=sku, name=f"Product {sku}", description="", price=pounds(price), active=active)
        if stock:
            INVENTORY.open_stock(key="test", sku=sku, quantity=stock)
        return sku

    def close_account(self) -> None:
        User.objects.using("users").filter(pk=self.user_id).update(active=False)

    # --- Placing ----------------------------------------------------------------------------------------------------

    def wish(self, *lines: Any, method: str = "pm_card_visa", **more: Any) -> Wish:
        """A line is a sku and a quantity, and perhaps an agreed price."""
        wanted = tuple(
            WantedLine(sku=sku, quantity=quantity, unit_price=pounds(price[0]) if price else None)
            for sku, quantity, *price in lines or [("A", 1)]
        )
        return Wish(
            **{"placed_by": self.user_id, "user_id": self.user_id, "lines": wanted, "payment_method": method, **more}
        )

    def place(self, *lines: Any, key: str = "", fingerprint: str = "f", later: bool = False, **more: Any) -> Placed:
        return SERVICE.place(
            self.wish(*lines, **more), key=key or str(uuid4()), fingerprint=fingerprint, respond_async=later
        )

    def go_on(self, order_id: UUID, definition: str = PlaceOrder.name) -> Run:
        """As the worker that comes next, whenever that is."""
        runs = SagaRun.objects.using("orders").filter(subject=order_id, definition=definition)
        runs.update(lease_until=None)
        run = store.claim(runs.get().id, using="orders")
        assert run is not None, "it has ended"
        return advance(run, budget=10.0)

    def cancel(self, order_id: UUID) -> Order:
        return SERVICE.cancel(order_id=order_id, reason="changed my mind")

    def ship(self, order_id: UUID) -> Order:
        return SERVICE.ship(order_id=order_id, carrier="Royal Mail", tracking_number="RM1")

    def delivered(self, *lines: Any) -> Order:
        """An order that was delivered."""
        order = self.place(*lines).order
        self.ship(order.id)
        return SERVICE.deliver(order_id=order.id)

    # --- What was written down --------------------------------------------------------------------------------------

    def order(self, order_id: UUID) -> Order:
        return Order.objects.using("orders").get(pk=order_id)

    def stream(self, order_id: UUID) -> list[str]:
        rows = StreamEvent.objects.using("orders").filter(stream=order_id).order_by("version")
        return [row.event_type for row in rows]

    def told(self, order_id: UUID) -> list[tuple[int, str]]:
        rows = OutboxMessage.objects.using("orders").filter(subject=str(order_id)).order_by("sequence")
        return [(row.sequence, row.event_type) for row in rows]

    def saga(self, order_id: UUID, definition: str = PlaceOrder.name) -> str:
        return SagaRun.objects.using("orders").get(subject=order_id, definition=definition).state

    def stock(self, sku: str = "A") -> tuple[int, int]:
        """On hand and reserved."""
        row = Stock.objects.using("inventory").get(pk=sku)
        return row.on_hand, row.reserved

    def reservation(self, order_id: UUID) -> str | None:
        row = Reservation.objects.using("inventory").filter(pk=order_id).first()
        return row.state if row else None

    def payment(self, order_id: UUID) -> str | None:
        row = Payment.objects.using("payments").filter(order_id=order_id).first()
        return row.status if row else None

    def moved(self, order_id: UUID) -> list[tuple[str, str]]:
        rows = Movement.objects.using("payments").filter(payment__order_id=order_id).order_by("made_at")
        return [(row.kind, str(row.amount)) for row in rows]

    def notes(self, order_id: UUID) -> list[tuple[str, str]]:
        rows = OrderNote.objects.using("orders").filter(order_id=order_id).order_by("id")
        return [(row.kind, row.text) for row in rows]

    def counts(self) -> tuple[int, int, int, int]:
        """Orders, keys, sagas and told events: all that placing leaves behind."""
        models: list[Any] = [Order, OrderKey, SagaRun, OutboxMessage]
        orders, keys, sagas, told = (model.objects.using("orders").count() for model in models)
        return orders, keys, sagas, told
