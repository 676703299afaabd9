"""The order decides by what has happened to it, and by nothing else: every decision in every status."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from apps.orders.aggregate import NotReturnable, OrderAggregate, WrongStatus
from contracts._base import Money
from contracts.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderLine,
    OrderReturned,
    OrderShipped,
    ReturnedLine,
)

ORDER, USER, RETURN = UUID(int=1), UUID(int=2), UUID(int=3)


def pounds(text: str) -> Money:
    return Money(Decimal(text), "GBP")


def line(sku: str, quantity: int, price: str) -> OrderLine:
    return OrderLine(sku=sku, name=f"Product {sku}", quantity=quantity, unit_price=pounds(price))


# A twice, at two prices.
ITEMS = (line("A", 2, "10.00"), line("B", 1, "5.00"), line("A", 3, "9.00"))
IDS = {"order_id": ORDER, "user_id": USER}
CREATED = OrderCreated(**IDS, total_amount=pounds("52.00"), items=ITEMS)
CONFIRMED = OrderConfirmed(**IDS)
CANCELLED = OrderCancelled(**IDS, reason="cancelled", skus=())
SHIPPED = OrderShipped(**IDS, carrier="Royal Mail", tracking_number="RM1")
DELIVERED = OrderDelivered(**IDS)
PART = OrderReturned(
    **IDS,
    return_id=RETURN,
    items=(ReturnedLine(sku="A", quantity=1, unit_price=pounds("10.00")),),
    refund=pounds("10.00"),
    whole=False,
)
REST = OrderReturned(
    **IDS,
    return_id=UUID(int=4),
    items=(
        ReturnedLine(sku="A", quantity=1, unit_price=pounds("10.00")),
        ReturnedLine(sku="B", quantity=1, unit_price=pounds("5.00")),
        ReturnedLine(sku="A", quantity=3, unit_price=pounds("9.00")),
    ),
    refund=pounds("42.00"),
    whole=True,
)

HISTORIES = {
    "pending": [CREATED],
    "confirmed": [CREATED, CONFIRMED],
    "shipped": [CREATED, CONFIRMED, SHIPPED],
    "delivered": [CREATED, CONFIRMED, SHIPPED, DELIVERED],
    "partly returned": [CREATED, CONFIRMED, SHIPPED, DELIVERED, PART],
    "returned": [CREATED, CONFIRMED, SHIPPED, DELIVERED, PART, REST],
    "cancelled": [CREATED, CANCELLED],
    "cancelled once confirmed": [CREATED, CONFIRMED, CANCELLED],
}

DECISIONS = {
    "confirm": lambda order: order.confirm(),
    "cancel": lambda order: order.cancel(reason="cancelled"),
    "ship": lambda order: order.ship(carrier="Royal Mail", tracking_number="RM1"),
    "deliver": lambda order: order.deliver(),
    "take back": lambda order: order.take_back(return_id=UUID(int=4), units={"A": 4, "B": 1}),
}

NOTHING, NO = "nothing", "WrongStatus"

# What each decision does in each status: the event it decides, nothing, or the refusal.
TABLE = {
    "pending": (CONFIRMED, CANCELLED, NO, NO, NO),
    "confirmed": (NOTHING, CANCELLED, SHIPPED, NO, NO),
    "shipped": (NOTHING, NO, NO, DELIVERED, NO),
    "delivered": (NOTHING, NO, NO, NO, "an event of its own"),
    "partly returned": (NOTHING, NO, NO, NO, REST),
    "returned": (NOTHING, NO, NO, NO, NOTHING),
    "cancelled": (NO, NOTHING, NO, NO, NO),
    "cancelled once confirmed": (NO, NOTHING, NO, NO, NO),
}
CELLS = [(status, decision, TABLE[status][i]) for status in TABLE for i, decision in enumerate(DECISIONS)]


@pytest.mark.parametrize(("status", "decision", "expected"), CELLS, ids=[f"{c[1]} when {c[0]}" for c in CELLS])
def test_each_decision_in_each_status(status, decision, expected):
    order = OrderAggregate.of(ORDER, HISTORIES[status])
    before = (order.status, order.version, order.returns)

    if expected == NO:
        with pytest.raises(WrongStatus) as refused:
            DECISIONS[decision](order)
        assert refused.value.data == {"status": order.status}
    else:
        DECISIONS[decision](order)

    if expected in (NO, NOTHING):
        assert (order.decided, (order.status, order.version, order.returns)) == ([], before)
    elif isinstance(expected, str):
        assert (len(order.decided), order.version) == (1, before[1] + 1)
    else:
        assert (order.decided, order.version) == ([expected], before[1] + 1)


@pytest.mark.parametrize("status", HISTORIES)
def test_a_history_folds_to_its_status_and_version(status):
    order = OrderAggregate.of(ORDER, HISTORIES[status])

    assert order.status == {"partly returned": "delivered", "cancelled once confirmed": "cancelled"}.get(status, status)
    assert order.version == len(HISTORIES[status])
    assert (order.id, order.user_id, order.items, order.total) == (ORDER, USER, ITEMS, pounds("52.00"))
    assert order.decided == []


def test_deciding_and_folding_what_was_decided_come_to_the_same():
    order = OrderAggregate(id=ORDER)
    order.create(user_id=USER, items=ITEMS, total=pounds("52.00"))
    order.confirm()
    order.ship(carrier="Royal Mail", tracking_number="RM1")
    order.deliver()
    order.take_back(return_id=RETURN, units={"A": 1})

    folded = OrderAggregate.of(ORDER, order.decided)

    order.decided.clear()
    assert folded == order


def test_a_cancellation_keeps_its_reason_and_the_skus_that_were_missing():
    order = OrderAggregate.of(ORDER, [CREATED])

    order.cancel(reason="out_of_stock", skus=("B",))

    assert (order.status, order.reason, order.skus) == ("cancelled", "out_of_stock", ("B",))


@pytest.mark.parametrize("total", [pounds("51.99"), pounds("0.00"), Money(Decimal("52.00"), "EUR")])
def test_a_total_that_the_lines_do_not_add_up_to_is_refused(total):
    order = OrderAggregate(id=ORDER)

    with pytest.raises(ValueError):
        order.create(user_id=USER, items=ITEMS, total=total)

    assert (order.version, order.status) == (0, None)


def test_an_order_is_created_once():
    with pytest.raises(ValueError, match="was created before"):
        OrderAggregate.of(ORDER, [CREATED, CREATED])


# --- Taking back ----------------------------------------------------------------------------------------------------


def delivered() -> OrderAggregate:
    return OrderAggregate.of(ORDER, HISTORIES["delivered"])


def test_units_come_back_at_the_prices_that_were_paid_the_first_lines_first():
    order = delivered()

    order.take_back(return_id=uuid4(), units={"A": 3})
    order.take_back(return_id=uuid4(), units={"A": 1})

    assert [[(b.quantity, str(b.unit_price.amount)) for b in made.items] for made in order.returns] == [
        [(2, "10.00"), (1, "9.00")],
        [(1, "9.00")],
    ]
    assert [str(made.refund.amount) for made in order.returns] == ["29.00", "9.00"]
    assert order.left_to_return() == {"A": 1, "B": 1}
    assert order.status == "delivered"


def test_when_the_last_unit_comes_back_the_order_is_returned_and_all_that_was_paid_is_refunded():
    order = delivered()
    for units in ({"A": 2}, {"B": 1}, {"A": 3}):
        assert order.status == "delivered"
        order.take_back(return_id=uuid4(), units=units)

    assert order.status == "returned"
    assert [made.whole for made in order.returns] == [False, False, True]
    assert sum((made.refund for made in order.returns), pounds("0")) == order.total
    assert order.left_to_return() == {"A": 0, "B": 0}


def test_the_same_return_again_is_nothing_also_when_the_order_is_returned_by_now():
    order = delivered()
    order.take_back(return_id=RETURN, units={"A": 5, "B": 1})
    assert order.status == "returned"

    order.take_back(return_id=RETURN, units={"A": 5, "B": 1})

    assert len(order.decided) == 1


@pytest.mark.parametrize(
    ("units", "skus"), [({"A": 6}, ["A"]), ({"X": 1}, ["X"]), ({"X": 1, "B": 2, "A": 1}, ["B", "X"])]
)
def test_more_than_is_left_cannot_come_back_and_nothing_of_it_does(units, skus):
    order = delivered()

    with pytest.raises(NotReturnable) as refused:
        order.take_back(return_id=uuid4(), units=units)

    assert refused.value.data == {"skus": skus}
    assert (order.decided, order.returns) == ([], ())


def test_what_came_back_cannot_come_back_again():
    order = delivered()
    order.take_back(return_id=uuid4(), units={"B": 1})

    with pytest.raises(NotReturnable):
        order.take_back(return_id=uuid4(), units={"B": 1})
