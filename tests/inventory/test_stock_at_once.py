"""Many at once on the same shelf: no unit is held twice, nothing is lost, nobody locks anybody up."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from uuid import uuid4

from django.db import connections, transaction

from apps.inventory.models import Stock
from apps.inventory.service import _release
from contracts.inventory import OutOfStock, ReservationClosed
from tests.together import kinds, together, wait_until, waits_for_a_lock


def deadlocks() -> int:
    with connections["inventory"].cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot(), pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_of_twenty_who_want_ten_units_ten_get_one(committed, shelf):
    shelf.product("A", stock=10)

    answers = together(*[partial(shelf.reserve, A=1)] * 20)

    assert Counter(kinds(answers)) == {"Reservation": 10, "OutOfStock": 10}
    assert shelf.balances("A") == (10, 10, 0)
    assert len(shelf.movements("A")) == 10


def test_one_order_reserved_ten_times_at_once_holds_once(committed, shelf):
    shelf.product("A", stock=50)
    order_id = uuid4()

    answers = together(*[partial(shelf.reserve, order_id, A=3)] * 10)

    assert kinds(answers) == ["Reservation"] * 10
    assert len({answer.id for answer in answers}) == 1
    assert shelf.balances("A") == (50, 3, 0)
    assert shelf.movements("A") == [("reserve", 0, 3, 0)]


def test_reserve_and_release_of_one_order_at_once_end_with_nothing_held(committed, shelf):
    shelf.product("A", stock=50)
    orders = [uuid4() for _ in range(8)]

    answers = together(
        *[partial(shelf.reserve, order_id, A=1) for order_id in orders],
        *[partial(shelf.release, order_id) for order_id in orders],
    )

    assert set(kinds(answers)) <= {"Reservation", "ReservationClosed", "NoneType"}
    assert [shelf.state(order_id) for order_id in orders] == ["closed"] * 8
    assert shelf.balances("A") == (50, 0, 0)
    held = Counter(kind for kind, *_ in shelf.movements("A"))
    assert held["reserve"] == held["release"]


def test_ten_releases_of_one_order_at_once_give_back_once(committed, shelf):
    shelf.product("A", stock=10)
    order_id = uuid4()
    shelf.reserve(order_id, A=4)

    assert together(*[partial(shelf.release, order_id)] * 10) == [None] * 10

    assert shelf.balances("A") == (10, 0, 0)
    assert len(shelf.told("InventoryReleased")) == 1


def test_carts_with_the_same_products_in_opposite_order_never_lock_each_other_up(committed, shelf):
    shelf.product("A", stock=1000), shelf.product("B", stock=1000)
    before = deadlocks()

    def fill_carts(seed: int) -> None:
        for turn in range(15):
            wanted = {"A": 1, "B": 1} if (seed + turn) % 2 else {"B": 1, "A": 1}
            shelf.reserve(**wanted)

    assert together(*[partial(fill_carts, seed) for seed in range(8)]) == [None] * 8

    assert (shelf.balances("A"), shelf.balances("B")) == ((1000, 120, 0), (1000, 120, 0))
    assert deadlocks() == before


def test_rows_are_locked_in_order_of_sku_whatever_order_they_are_asked_for(committed, shelf):
    for sku in "ABC":
        shelf.product(sku, stock=1)
    order: list[str] = []

    def hold_b() -> None:
        with transaction.atomic(using="inventory"):
            Stock.objects.lock(["B"])
            order.append("B is held")
            wait_until(partial(waits_for_a_lock, "inventory"))
            # Whoever waits for B has A by now, and does not have C yet.
            order.extend(sku for sku in "AC" if not free(sku))

    def want_all() -> None:
        wait_until(lambda: order)
        with transaction.atomic(using="inventory"):
            Stock.objects.lock(["C", "B", "A"])

    def free(sku: str) -> bool:
        return bool(Stock.objects.using("inventory").select_for_update(skip_locked=True).filter(pk=sku))

    assert together(hold_b, want_all) == [None, None]
    assert order == ["B is held", "A"]


def test_through_a_storm_of_all_there_is_the_books_still_add_up(committed, shelf):
    for sku in "ABCD":
        shelf.product(sku, stock=30)

    def trade(seed: int) -> None:
        chance = random.Random(seed)
        for turn in range(12):
            order_id, skus = uuid4(), chance.sample("ABCD", 2)
            try:
                shelf.reserve(order_id, **{sku: chance.randint(1, 4) for sku in skus})
            except OutOfStock:
                shelf.service.restock(key=f"{seed}:{turn}", sku=skus[0], quantity=5, reason="")
                continue
            if turn % 3 == 0:
                shelf.release(order_id)
            elif turn % 3 == 1:
                with transaction.atomic(using="inventory"):
                    shelf.service.order_shipped(order_id=order_id)

    assert together(*[partial(trade, seed) for seed in range(6)]) == [None] * 6

    for row in shelf.service.audit(after=None, limit=10).items:
        assert row.on_hand + row.sold == row.opening + row.receipts
        assert row.reserved == row.held == row.moved_reserved
        assert (row.on_hand, row.sold) == (row.moved_on_hand, row.moved_sold)
        assert 0 <= row.reserved <= row.on_hand


def test_one_key_restocked_ten_times_at_once_is_one_delivery(committed, shelf):
    shelf.product("A")

    answers = together(*[partial(shelf.service.restock, key="k", sku="A", quantity=5, reason="")] * 10)

    assert [answer.on_hand for answer in answers] == [5] * 10
    assert shelf.movements("A") == [("receipt", 5, 0, 0)]


def test_a_late_reserve_that_meets_an_uncommitted_mark_waits_for_it_and_is_refused(committed, shelf):
    shelf.product("A", stock=10)
    order_id, marked = uuid4(), []

    def release_slowly() -> None:
        with transaction.atomic(using="inventory"):
            _release("r", order_id)
            marked.append(True)
            wait_until(partial(waits_for_a_lock, "inventory"))

    def reserve_late() -> None:
        wait_until(lambda: marked)
        shelf.reserve(order_id, A=1)

    answers = together(release_slowly, reserve_late)

    assert isinstance(answers[1], ReservationClosed)
    assert shelf.balances("A") == (10, 0, 0)
