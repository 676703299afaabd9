"""
Those who want something of the shop: customers, who ask again while they have no answer, and the shop's people.

Each writes down what it was answered. Those answers have to be true in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.orders.models import Order, OrderKey
from apps.orders.service import SERVICE as ORDERS
from apps.orders.service import KeyUsedForAnother, Placed
from apps.orders.wishes import WantedLine, Wish
from apps.payments.models import Payment
from apps.payments.service import SERVICE as PAYMENTS
from contracts._base import Money, Rejected, new_id
from contracts.orders import CANCELLED, CONFIRMED, DELIVERED, PENDING, SHIPPED

ASKED_AGAIN = 8
"""How often somebody without an answer asks again."""


@dataclass(frozen=True)
class Answer:
    """What somebody was told: ``said`` is the order's status, or the kind of a refusal."""

    order_id: UUID
    asked: str
    said: str
    reason: str | None = None
    detail: Any = None


@dataclass(eq=False)
class Customer:
    """One wish for an order, under one key, and what becomes of it afterwards."""

    world: Any
    number: int
    wish: Wish
    later: bool
    fate: str
    wanted: set[str] = field(default_factory=set)
    """What was asked for of this order beside placing it: to cancel, to ship, to return, to give money back."""

    @property
    def key(self) -> str:
        return f"key-{self.number}"

    # --- Scripts ----------------------------------------------------------------------------------------------------

    def buys(self) -> None:
        self.place()
        if self.fate in {"keep", "cancel early"}:
            return
        order_id = self._order_id()
        if order_id is None or self._status_within(order_id, 12) != CONFIRMED:
            return
        if self.fate == "cancel":
            self.cancel(order_id)
        elif self.fate == "give back":
            self.give_money_back(order_id)
        else:
            self._ships(order_id)

    def cancels_at_any_moment(self) -> None:
        for _ in range(8):
            self.world.wait(self.world.dice.between(0, self.world.dice.pick((0.1, 3))))
            order_id = self._order_id()
            if order_id is not None:
                self.cancel(order_id)
                return

    def repeats(self) -> None:
        """The same request once more, while the first may be under way."""
        self.world.wait(self.world.dice.between(0, 2))
        self.place()

    def misuses_key(self) -> None:
        """Another request under the same key: refused, if the first has come."""
        self.world.wait(self.world.dice.between(0, 5))
        if self._order_id() is None:
            return
        told = self.world.served(f"place another under {self.key}", lambda: self._place("another"))
        if told is not None and not isinstance(told, KeyUsedForAnother):
            self.world.broken(f"{self.key} was used for another order, and that was answered with {told}")

    def _ships(self, order_id: UUID) -> None:
        self._change(order_id, "ship", lambda: ORDERS.ship(order_id=order_id, carrier="RM", tracking_number="1"))
        if self.fate == "ship" or self._status_within(order_id, 12, SHIPPED) != SHIPPED:
            return
        self._change(order_id, "deliver", lambda: ORDERS.deliver(order_id=order_id))
        for _ in range(self.world.dice.number(0, 2)):
            self._takes_back(order_id)

    def _takes_back(self, order_id: UUID) -> None:
        order = Order.objects.using("orders").get(pk=order_id)
        if order.status != DELIVERED:
            return
        left: dict[str, int] = {}
        for line in order.lines:
            left[line.sku] = left.get(line.sku, 0) + line.quantity
        for made in order.returned:
            for back in made.items:
                left[back.sku] -= back.quantity
        there = sorted(sku for sku in left if left[sku])
        skus = self.world.dice.some(there, self.world.dice.number(1, len(there)))
        units = {sku: self.world.dice.number(1, left[sku]) for sku in skus}
        return_id = new_id()
        self.world.trace.call(return_id, "return")
        self._change(
            order_id,
            "return",
            lambda: ORDERS.take_back(order_id=order_id, return_id=return_id, units=units, reason="not mine"),
            detail=return_id,
        )

    # --- One request each -------------------------------------------------------------------------------------------

    def place(self) -> None:
        for _ in range(ASKED_AGAIN):
            told = self.world.served(f"place {self.key}", lambda: self._place("the wish"))
            if isinstance(told, Placed):
                self._note(told.order, "place")
                return
            if isinstance(told, Rejected):
                self.world.broken(f"{self.key} was refused: {told}")
                return
            self.world.wait(self.world.dice.between(0.2, 6))

    def _place(self, fingerprint: str) -> Placed:
        return ORDERS.place(self.wish, key=self.key, fingerprint=fingerprint, respond_async=self.later)

    def cancel(self, order_id: UUID) -> None:
        self._change(order_id, "cancel", lambda: ORDERS.cancel(order_id=order_id, reason="changed my mind"))

    def give_money_back(self, order_id: UUID) -> None:
        """An operator's refund of a part of it."""
        payment = Payment.objects.using("payments").filter(order_id=order_id).first()
        if payment is None:
            return
        pennies = self.world.dice.number(1, int(payment.amount * 100))
        amount = Money.parse(f"{pennies // 100}.{pennies % 100:02d}", payment.currency)
        words = {"payment_id": payment.id, "key": f"op-{self.number}", "amount": amount, "reason": "sorry"}
        self.wanted.add("refund")
        for _ in range(ASKED_AGAIN):
            told = self.world.served(f"give back {amount}", lambda: PAYMENTS.refund_payment(**words))
            if told is not None:
                said = "refused" if isinstance(told, Rejected) else "promised"
                self.world.answers.append(
                    Answer(order_id, "refund", said, detail=(f"{payment.id}:op-{self.number}", amount))
                )
                return
            self.world.wait(self.world.dice.between(0.2, 6))

    def _change(self, order_id: UUID, what: str, call: Any, *, detail: Any = None) -> None:
        self.wanted.add(what)
        for _ in range(ASKED_AGAIN):
            told = self.world.served(f"{what} {order_id}", call)
            if isinstance(told, Order):
                self._note(told, what, detail)
                return
            if isinstance(told, Rejected):
                self.world.answers.append(Answer(order_id, what, type(told).__name__, detail=told.data))
                return
            self.world.wait(self.world.dice.between(0.2, 6))

    # --- Small words ------------------------------------------------------------------------------------------------

    def _note(self, order: Order, asked: str, detail: Any = None) -> None:
        self.world.trace.call(order.id, "order")
        self.world.answers.append(Answer(order.id, asked, order.status, order.reason, detail))

    def _order_id(self) -> UUID | None:
        taken = OrderKey.objects.using("orders").filter(principal=self.wish.placed_by, key=self.key).first()
        return None if taken is None else taken.order_id

    def _status_within(self, order_id: UUID, looks: int, wanted: str = CONFIRMED) -> str:
        """The order's status, as soon as it is the one that is waited for, or has ended; or after so many looks."""
        status = PENDING
        for _ in range(looks):
            status = Order.objects.using("orders").values_list("status", flat=True).get(pk=order_id)
            if status in {wanted, CANCELLED}:
                break
            self.world.wait(self.world.dice.between(1, 8))
        return status


FATES = ("keep", "cancel early", "cancel", "ship", "return", "give back")
LIKELY = (2, 2, 1, 2, 4, 2)
SKUS = {"hot": (3, "19.99"), "cold": (40, "0.10"), "odd": (25, "3.33"), "dear": (15, "1250.00")}
"""Each product's opening stock and price."""


def customer(world: Any, number: int, user_id: UUID) -> Customer:
    dice = world.dice
    skus = [dice.pick(list(SKUS), (3, 2, 2, 1)) for _ in range(dice.number(1, 3))]
    lines = tuple(WantedLine(sku=sku, quantity=dice.number(1, 2 if sku == "hot" else 4)) for sku in skus)
    method = dice.pick(("pm_good", "pm_declined", "pm_poor", "pm_settles", "pm_settles_not"), (6, 1, 1, 3, 1))
    wish = Wish(placed_by=user_id, user_id=user_id, lines=lines, payment_method=method)
    return Customer(world, number, wish, later=dice.chance(0.2), fate=dice.pick(FATES, LIKELY))


def scripts_of(one: Customer) -> list[tuple[str, Any]]:
    """The name and the work of each actor that this customer needs."""
    dice, name = one.world.dice, f"customer {one.number}"
    found = [(name, one.buys)]
    if one.fate == "cancel early" or (one.fate in {"ship", "return"} and dice.chance(0.2)):
        found.append((f"{name} cancels", one.cancels_at_any_moment))
    if dice.chance(0.25):
        found.append((f"{name} repeats", one.repeats))
    if dice.chance(0.1):
        found.append((f"{name} misuses", one.misuses_key))
    return found
