"""
One suite of calls for each contract: what it answers, how it says no, and that the same key is the same deed.

A suite first makes what it needs, as the domain's own people do, in this process; what it then gives back is asked of
whatever keeps the contract, wherever that is.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from uuid import UUID, uuid4

from contracts._base import Money
from contracts.inventory import Line
from runtime.calls import Lease, call
from tests.contracts.asked import Asked
from tests.together import wait_until
from tests.trade import Trade

type Suite = Callable[[Asked], None]

NOBODY = UUID(int=0)
IDS = [UUID(int=number) for number in range(1, 10)]
"""Of orders. Lists are in the order of keys, and keys are made of these."""

PASSWORD = "a password for the suite"


def pounds(amount: str) -> Money:
    return Money(Decimal(amount), "GBP")


# --- Users ----------------------------------------------------------------------------------------------------------


def users(trade: Trade) -> Suite:
    from apps.users.service import SERVICE

    def account(name: str) -> UUID:
        made = SERVICE.register(email=f"{name}@suite.example", name=name, password=PASSWORD)
        return UUID(str(made.id))

    ada, bob = account("ada"), account("bob")
    SERVICE.change(user_id=bob, allowed=frozenset({"users.change_any"}), active=False)
    return partial(_users, ada, bob)


def _users(ada: UUID, bob: UUID, asked: Asked) -> None:
    for user_id in (ada, bob, NOBODY):
        asked.ask("get", user_id=user_id)
        asked.ask("validate", user_id=user_id)
    for email in ("ada@suite.example", "bob@suite.example", "nobody@suite.example"):
        asked.ask("authenticate", email=email, password=PASSWORD)
    asked.ask("authenticate", email="ada@suite.example", password="a guess")
    version = asked.quietly("authenticate", email="ada@suite.example", password=PASSWORD).version
    for user_id, shown in ((ada, version), (ada, f"{version}x"), (bob, version), (NOBODY, version)):
        asked.ask("session", user_id=user_id, version=shown)
    asked.ask("unheard", source="orders", event_ids=(uuid4(), uuid4()))
    asked.ask("overview")


USERS = [
    *("User", "User", "User", "user_inactive", "user_unknown", "user_unknown"),
    *("Session", "invalid_credentials", "invalid_credentials", "invalid_credentials"),
    *("User", "session_ended", "session_ended", "session_ended"),
    *("Unheard", "Overview"),
]


# --- Inventory ------------------------------------------------------------------------------------------------------


def inventory(trade: Trade) -> Suite:
    from apps.inventory.service import SERVICE

    for sku, units, active in (("A", 10, True), ("B", 2, True), ("C", 5, False)):
        SERVICE.add_product(sku=sku, name=f"Thing {sku}", description="", price=pounds("2.50"), active=active)
        SERVICE.open_stock(key="suite", sku=sku, quantity=units)
    return _inventory


def _inventory(asked: Asked) -> None:
    one, other, third, late, leased = IDS[:5]

    def reserve(order_id: UUID, *lines: tuple[str, int], key: str = "reserve") -> None:
        wanted = [Line(sku=sku, quantity=units) for sku, units in lines]
        asked.ask("reserve", key=f"{order_id}:{key}", order_id=order_id, lines=wanted)

    def release(order_id: UUID) -> None:
        asked.ask("release", key=f"{order_id}:release", order_id=order_id)

    asked.ask("quote", skus=["B", "A", "C", "NONE"])
    asked.ask("quote", skus=[])
    reserve(one, ("A", 2), ("B", 1), ("A", 1))
    reserve(one, ("A", 2), ("B", 1), ("A", 1))
    reserve(other, ("A", 1), ("B", 2))
    reserve(other, ("A", 1), ("B", 2))
    reserve(third, ("A", 1), ("C", 1), ("NONE", 1))
    release(one)
    release(one)
    reserve(one, ("A", 1), key="again")
    release(late)
    reserve(late, ("A", 1))
    lease = uuid4()
    with call(lease=Lease(id=lease, epoch=2)):
        reserve(leased, ("A", 4))
    with call(lease=Lease(id=lease, epoch=1)):
        release(leased)
    asked.ask("history", order_id=one)
    asked.ask("history", order_id=NOBODY)
    asked.ask("audit", after=None, limit=2)
    asked.ask("audit", after="B", limit=2)
    asked.ask("unheard", source="orders", event_ids=(uuid4(),))
    asked.ask("overview")


INVENTORY = [
    *("3 of them", "0 of them"),
    *("held", "held", "out_of_stock", "out_of_stock", "unknown_sku"),
    *("NoneType", "NoneType", "reservation_closed", "NoneType", "reservation_closed"),
    *("held", "superseded"),
    *("4 of them", "0 of them", "2 of them, and more", "1 of them, the last"),
    *("Unheard", "Overview"),
]


# --- Payments -------------------------------------------------------------------------------------------------------


def payments(trade: Trade) -> Suite:
    return partial(_payments, uuid4())


def _payments(user_id: UUID, asked: Asked) -> None:
    good, declined, poor, later, failing, silent, held, late = IDS[:8]

    def charge(order_id: UUID, method: str, *, capture: bool = True) -> None:
        words = {"key": f"{order_id}:charge", "order_id": order_id, "user_id": user_id, "method": method}
        asked.ask("charge", **words, amount=pounds("25"), capture=capture)

    def about(order_id: UUID, *methods: str) -> None:
        for method in methods:
            more = {"order_id": order_id} if method == "void" else {}
            asked.ask(method, key=f"{order_id}:charge", **more)

    for order_id, method in (
        (good, "pm_card_visa"),
        (declined, "pm_card_declined"),
        (poor, "pm_card_insufficient_funds"),
        (later, "pm_card_async"),
        (failing, "pm_card_async_fail"),
        (silent, "pm_card_timeout"),
    ):
        charge(order_id, method)
    charge(good, "pm_card_visa")
    charge(declined, "pm_card_declined")
    about(silent, "inquire", "inquire")
    about(NOBODY, "inquire", "capture")
    charge(held, "pm_card_visa", capture=False)
    about(held, "capture", "capture")
    about(declined, "capture")
    _refunds(asked, good)
    about(held, "void", "void")
    charge(held, "pm_card_visa")
    about(late, "void")
    charge(late, "pm_card_visa")
    wait_until(lambda: asked.quietly("inquire", key=f"{failing}:charge") == "payment_failed")
    about(failing, "inquire")
    about(later, "inquire", "void")
    _looked_at(asked, good)


def _refunds(asked: Asked, order_id: UUID) -> None:
    charge_key = f"{order_id}:charge"
    for key, amount in (("one", "4.00"), ("one", "4.00"), ("two", "21.01"), ("three", "21.00"), ("four", "0.01")):
        asked.ask("refund", key=f"{order_id}:{key}", charge_key=charge_key, amount=pounds(amount), reason="a scratch")
    asked.ask("refund", key="five", charge_key=f"{NOBODY}:charge", amount=pounds("1"), reason="")


def _looked_at(asked: Asked, order_id: UUID) -> None:
    lease = IDS[8]
    with call(lease=Lease(id=lease, epoch=2)):
        asked.ask("void", key=f"{lease}:charge", order_id=lease)
    with call(lease=Lease(id=lease, epoch=1)):
        asked.ask("void", key=f"{lease}:charge", order_id=lease)
    asked.ask("history", order_id=order_id)
    asked.ask("history", order_id=NOBODY)
    page = asked.ask("audit", after=None, limit=5)
    asked.ask("audit", after=page.next, limit=5)
    page = asked.ask("provider_entries", after=None, limit=100)
    asked.ask("provider_entries", after=page.next, limit=100)
    asked.ask("unheard", source="users", event_ids=(uuid4(),))
    asked.ask("overview")


PAYMENTS = [
    *("captured", "payment_declined", "insufficient_funds", "pending", "pending", "unknown"),
    *("captured", "payment_declined", "captured", "captured", "payment_unknown", "payment_unknown"),
    *("authorized", "captured", "captured", "payment_declined"),
    *("done", "done", "refund_too_large", "done", "refund_too_large", "payment_unknown"),
    *("refunded", "refunded", "payment_closed", "voided", "payment_closed"),
    *("payment_failed", "captured", "refunded"),
    *("voided", "superseded"),
    *("6 of them", "0 of them", "5 of them, and more", "4 of them, the last"),
    *("4 of them, and more", "4 of them, the last"),
    *("Unheard", "Overview"),
]


# --- Orders ---------------------------------------------------------------------------------------------------------


def orders(trade: Trade) -> Suite:
    from apps.orders.service import SERVICE

    inventory(trade)
    made = [trade.order(sku="A", units=1, method=f"pm_card_{name}") for name in ("visa", "declined", "visa")]
    SERVICE.cancel(order_id=made[2].id, reason="changed my mind")
    return partial(_orders, [order.id for order in made])


def _orders(made: list[UUID], asked: Asked) -> None:
    for order_id in (*made, NOBODY):
        asked.ask("get", order_id=order_id)
    page = asked.ask("audit", after=None, limit=2)
    asked.ask("audit", after=page.next, limit=2)
    asked.ask("unheard", source="payments", event_ids=(uuid4(),))
    asked.ask("overview")


ORDERS = [
    *("confirmed", "cancelled", "cancelled", "order_unknown"),
    *("2 of them, and more", "1 of them, the last"),
    *("Unheard", "Overview"),
]
