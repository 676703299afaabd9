"""Stock is held for an order, all lines or none, once, until it is given back or shipped."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from apps.inventory.models import Reservation
from contracts._base import Superseded
from contracts.inventory import Line, OutOfStock, ReservationClosed, UnknownSku
from runtime.calls import Lease, call
from runtime.databases.clock import database_time

pytestmark = pytest.mark.django_db


def test_a_reservation_holds_each_line_and_writes_down_why(shelf):
    shelf.product("A", stock=10), shelf.product("B", stock=5)
    order_id = uuid4()

    reservation = shelf.reserve(order_id, B=1, A=3)

    assert (reservation.order_id, reservation.state) == (order_id, "held")
    assert reservation.lines == (Line(sku="A", quantity=3), Line(sku="B", quantity=1))
    assert timedelta(minutes=29) < reservation.expires_at - database_time("inventory") <= timedelta(minutes=30)
    assert (shelf.balances("A"), shelf.balances("B")) == ((10, 3, 0), (5, 1, 0))
    assert shelf.movements("A") == [("reserve", 0, 3, 0)]
    assert shelf.movements("B") == [("reserve", 0, 1, 0)]
    items = [{"sku": "A", "quantity": 3}, {"sku": "B", "quantity": 1}]
    assert shelf.told("InventoryReserved") == [{"orderId": str(order_id), "items": items}]


def test_lines_of_one_sku_are_summed(shelf):
    shelf.product("A", stock=5)
    lines = [Line(sku="A", quantity=2), Line(sku="A", quantity=3)]

    reservation = shelf.service.reserve(key="k", order_id=uuid4(), lines=lines)

    assert reservation.lines == (Line(sku="A", quantity=5),)
    assert shelf.balances("A") == (5, 5, 0)


def test_the_same_key_again_is_the_same_reservation_and_holds_nothing_more(shelf):
    shelf.product("A", stock=10)
    order_id = uuid4()

    first = shelf.reserve(order_id, A=3)

    assert shelf.reserve(order_id, A=3) == first
    assert shelf.balances("A") == (10, 3, 0)
    assert len(shelf.movements("A")) == 1
    assert len(shelf.told("InventoryReserved")) == 1


def test_where_one_line_is_short_nothing_is_held_and_the_short_ones_are_named(shelf):
    shelf.product("A", stock=10), shelf.product("B", stock=1), shelf.product("C", stock=0)
    order_id = uuid4()

    with pytest.raises(OutOfStock) as refused:
        shelf.reserve(order_id, C=1, A=3, B=2)

    assert refused.value.data == {"skus": ["B", "C"]}
    assert [shelf.balances(sku)[1] for sku in "ABC"] == [0, 0, 0]
    assert shelf.movements("A") == shelf.movements("B") == []
    items = [{"sku": "B", "quantity": 2}, {"sku": "C", "quantity": 1}]
    assert shelf.told("InventoryInsufficient") == [{"orderId": str(order_id), "items": items}]
    assert shelf.told("InventoryReserved") == []


def test_a_refusal_is_repeated_with_the_same_skus_also_when_there_is_stock_by_now(shelf):
    shelf.product("A", stock=1)
    order_id = uuid4()
    with pytest.raises(OutOfStock):
        shelf.reserve(order_id, A=2)
    shelf.service.restock(key="r", sku="A", quantity=10, reason="late")

    with pytest.raises(OutOfStock) as again:
        shelf.reserve(order_id, A=2)

    assert again.value.data == {"skus": ["A"]}
    assert shelf.balances("A") == (11, 0, 0)
    assert len(shelf.told("InventoryInsufficient")) == 1


@pytest.mark.parametrize("wanted", [{"A": 1, "X": 1}, {"A": 1, "gone": 1}, {"A": 1, "gone": 1, "X": 1}])
def test_a_product_that_is_unknown_or_no_longer_sold_refuses_all_and_leaves_no_trace(shelf, wanted):
    shelf.product("A", stock=5)
    shelf.product("gone", stock=5, active=False)
    order_id = uuid4()

    with pytest.raises(UnknownSku) as refused:
        shelf.reserve(order_id, **wanted)

    assert refused.value.data == {"skus": sorted(set(wanted) - {"A"})}
    assert (shelf.balances("A"), shelf.movements("A")) == ((5, 0, 0), [])
    assert not Reservation.objects.using("inventory").filter(pk=order_id).exists()
    assert shelf.told("InventoryInsufficient") == []


def test_the_last_unit_can_be_held_and_no_unit_more(shelf):
    shelf.product("A", stock=3)
    shelf.reserve(A=2)
    shelf.reserve(A=1)

    with pytest.raises(OutOfStock):
        shelf.reserve(A=1)

    assert shelf.balances("A") == (3, 3, 0)


# --- Giving back ----------------------------------------------------------------------------------------------------


def test_what_was_held_is_given_back_once(shelf):
    shelf.product("A", stock=10)
    order_id = uuid4()
    shelf.reserve(order_id, A=3)

    shelf.release(order_id)
    shelf.release(order_id)
    shelf.release(order_id, key="another try")

    assert shelf.balances("A") == (10, 0, 0)
    assert shelf.movements("A") == [("reserve", 0, 3, 0), ("release", 0, -3, 0)]
    assert shelf.state(order_id) == "closed"
    items = [{"sku": "A", "quantity": 3}]
    assert shelf.told("InventoryReleased") == [{"orderId": str(order_id), "items": items}]


def test_a_release_before_the_reserve_leaves_a_mark_and_the_late_reserve_is_refused(shelf):
    shelf.product("A", stock=10)
    order_id = uuid4()

    shelf.release(order_id)
    with pytest.raises(ReservationClosed):
        shelf.reserve(order_id, A=3)
    with pytest.raises(ReservationClosed):
        shelf.reserve(order_id, A=3)
    shelf.release(order_id)

    assert (shelf.balances("A"), shelf.movements("A")) == ((10, 0, 0), [])
    assert shelf.told("InventoryReleased") == shelf.told("InventoryReserved") == []


def test_what_was_given_back_cannot_be_held_again(shelf):
    shelf.product("A", stock=10)
    order_id = uuid4()
    shelf.reserve(order_id, A=3)
    shelf.release(order_id)

    with pytest.raises(ReservationClosed):
        shelf.reserve(order_id, A=3)

    assert shelf.balances("A") == (10, 0, 0)


def test_a_refused_reservation_is_given_back_quietly_and_gives_nothing(shelf):
    shelf.product("A", stock=1)
    order_id = uuid4()
    with pytest.raises(OutOfStock):
        shelf.reserve(order_id, A=2)

    shelf.release(order_id)

    assert (shelf.balances("A"), shelf.movements("A")) == ((1, 0, 0), [])
    assert shelf.told("InventoryReleased") == []
    with pytest.raises(ReservationClosed):
        shelf.reserve(order_id, A=1)


# --- Leaving and coming back ----------------------------------------------------------------------------------------


def test_shipping_takes_what_was_held_off_the_shelf_and_sells_it(shelf):
    shelf.product("A", stock=10), shelf.product("B", stock=4)
    order_id = uuid4()
    shelf.reserve(order_id, A=3, B=4)
    shelf.reserve(A=1)

    shelf.service.order_shipped(order_id=order_id)

    assert (shelf.balances("A"), shelf.balances("B")) == ((7, 1, 3), (0, 0, 4))
    assert shelf.movements("B") == [("reserve", 0, 4, 0), ("ship", -4, -4, 4)]
    assert shelf.state(order_id) == "shipped"
    assert [event["sku"] for event in shelf.told("InventoryUpdated") if event["orderId"]] == ["A", "B"]
    assert shelf.told("InventoryUpdated")[-1] == {
        "sku": "B", "onHand": 0, "reserved": 0, "sold": 4, "orderId": str(order_id)
    }  # fmt: skip


def test_what_was_shipped_cannot_be_given_back(shelf):
    shelf.product("A", stock=10)
    order_id = uuid4()
    shelf.reserve(order_id, A=3)
    shelf.service.order_shipped(order_id=order_id)

    shelf.release(order_id)

    assert shelf.balances("A") == (7, 0, 3)
    assert shelf.state(order_id) == "shipped"


@pytest.mark.parametrize("before", ["closed", "refused", "shipped"])
def test_shipping_what_is_not_held_is_a_bug_that_changes_nothing(shelf, before):
    shelf.product("A", stock=2)
    order_id = uuid4()
    if before == "refused":
        with pytest.raises(OutOfStock):
            shelf.reserve(order_id, A=3)
    elif before == "closed":
        shelf.release(order_id)
    else:
        shelf.reserve(order_id, A=1)
        shelf.service.order_shipped(order_id=order_id)
    met = shelf.balances("A")

    with pytest.raises(AssertionError, match=f"was shipped while its reservation is {before}"):
        shelf.service.order_shipped(order_id=order_id)

    assert shelf.balances("A") == met


def test_what_comes_back_stands_on_the_shelf_again_once_and_stays_sold(shelf):
    shelf.product("A", stock=10)
    order_id, return_id = uuid4(), uuid4()
    shelf.reserve(order_id, A=3)
    shelf.service.order_shipped(order_id=order_id)
    lines = [Line(sku="A", quantity=1), Line(sku="A", quantity=1)]

    for _ in range(2):
        shelf.service.order_returned(return_id=return_id, order_id=order_id, lines=lines)

    assert shelf.balances("A") == (9, 0, 3)
    assert shelf.movements("A")[-1] == ("return", 2, 0, 0)


# --- Looking after it -----------------------------------------------------------------------------------------------


def test_a_reservation_held_for_too_long_raises_one_alarm_and_stays_held(shelf, caplog):
    shelf.product("A", stock=10)
    overdue, fresh, given_back = uuid4(), uuid4(), uuid4()
    for order_id in (overdue, fresh, given_back):
        shelf.reserve(order_id, A=1)
    shelf.release(given_back)
    past = database_time("inventory") - timedelta(seconds=1)
    Reservation.objects.using("inventory").exclude(pk=fresh).update(expires_at=past)

    assert shelf.service.alarm_overdue() is False
    assert shelf.service.alarm_overdue() is False

    warned = [record.getMessage() for record in caplog.records if "overdue" in record.getMessage()]
    assert warned == [f"the reservation of order {overdue} is overdue: see what became of the order"]
    assert (shelf.state(overdue), shelf.balances("A")) == ("held", (10, 2, 0))


def test_keepers_are_told_once_when_a_product_becomes_scarce_and_not_with_each_order_after(shelf):
    shelf.product("A", stock=10)
    for _ in range(4):
        shelf.reserve(A=2)

    assert shelf.told("InventoryLow") == [{"sku": "A", "available": 4}]


def test_whoever_was_asleep_holds_and_frees_nothing_once_a_later_holder_of_the_lease_was_here(shelf):
    shelf.product("A", stock=10)
    run_id, held, other = uuid4(), uuid4(), uuid4()
    with call(lease=Lease(id=run_id, epoch=2)):
        shelf.reserve(held, A=3)

    with call(lease=Lease(id=run_id, epoch=1)):
        with pytest.raises(Superseded):
            shelf.reserve(other, A=1)
        with pytest.raises(Superseded):
            shelf.release(held)

    assert shelf.balances("A") == (10, 3, 0)
    assert not Reservation.objects.using("inventory").filter(pk=other).exists()
