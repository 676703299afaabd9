"""Stock that is not what its movements add up to is found by itself, never where it is not so, and set right once."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.db import connections, transaction

from apps.inventory import books, tasks
from apps.inventory.books import DriftedOtherwise, JournalBroken, NotDrifted
from apps.inventory.models import Change, Reservation, Stock, StockDrift, StockMovement, StockRound
from contracts.inventory import OutOfStock, UnknownSku
from runtime.databases.clock import database_time
from tests.together import together, wait_until


def stray(sku: str, **counters: int) -> None:
    """Somebody's SQL."""
    assert Stock.objects.using("inventory").filter(pk=sku).update(**counters) == 1


def look() -> None:
    """The next look, whenever it would be due."""
    StockRound.objects.using("inventory").update(due_at=database_time("inventory") - timedelta(seconds=1))
    books.look()


def marked() -> list[str]:
    return list(StockDrift.objects.using("inventory").order_by("sku").values_list("pk", flat=True))


# --- Finding it -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("counters", [{"on_hand": 9}, {"on_hand": 11}, {"reserved": 3}, {"reserved": 1}, {"sold": 1}])
def test_each_counter_that_strays_is_found_once_with_its_time_and_forgotten_when_it_agrees_again(
    shelf, counters, caplog
):
    shelf.product("A", stock=10), shelf.product("B", stock=10), shelf.product("C")
    shelf.reserve(A=2)
    look()
    assert (marked(), books.drifted()) == ([], (0, None))

    stray("A", **counters)
    look()
    since = books.drifted_since("A")
    look()

    assert since is not None
    assert abs(since - database_time("inventory")) < timedelta(minutes=1)
    assert (marked(), books.drifted(), books.drifted_since("A")) == (["A"], (1, since), since)
    told = [record.getMessage() for record in caplog.records if "add up to" in record.getMessage()]
    assert told == ["the stock of A is not what its movements add up to"]
    stray("A", on_hand=10, reserved=2, sold=0)
    look()
    assert (marked(), books.drifted()) == ([], (0, None))


@pytest.mark.django_db
def test_stock_without_any_movement_has_drifted_unless_it_is_nought(shelf):
    shelf.product("A"), shelf.product("B")
    stray("B", on_hand=1)

    look()

    assert marked() == ["B"]


@pytest.mark.django_db
def test_a_catalogue_that_is_too_large_for_one_look_is_walked_in_slices_round_and_round(shelf, monkeypatch):
    monkeypatch.setattr(books, "MOST_SKUS", 2)
    for sku in "ABCDE":
        shelf.product(sku, stock=1)
        stray(sku, on_hand=2)

    seen = []
    for _ in range(4):
        look()
        seen.append((marked(), StockRound.objects.using("inventory").get().after))
    stray("A", on_hand=1)
    for _ in range(3):
        look()

    assert seen == [(list("AB"), "B"), (list("ABCD"), "D"), (list("ABCDE"), ""), (list("ABCDE"), "B")]
    assert marked() == list("BCDE")


@pytest.mark.django_db
def test_nobody_looks_again_before_it_is_due_however_many_relays_there_are(shelf):
    shelf.product("A", stock=1)
    books.look()
    stray("A", on_hand=2)

    books.look()
    assert marked() == []
    rest = StockRound.objects.using("inventory").get().due_at - database_time("inventory")
    assert timedelta(seconds=books.REST - 1) < rest <= timedelta(seconds=books.REST)
    look()

    assert marked() == ["A"]


def test_while_one_relay_looks_another_one_goes_on_without_waiting(shelf, committed):
    shelf.product("A", stock=1)
    look()
    stray("A", on_hand=2)
    StockRound.objects.using("inventory").update(due_at=database_time("inventory") - timedelta(seconds=1))

    with transaction.atomic(using="inventory"):
        assert StockRound.objects.using("inventory").select_for_update().get()
        assert together(books.look) == [None]
        assert marked() == []


def test_a_slice_that_takes_too_long_is_tried_in_smaller_ones_and_none_is_left_out(shelf, committed, monkeypatch):
    for sku in "ABCDEFGHIJKL":
        shelf.product(sku, stock=1)
    stray("L", on_hand=2)
    slow = "SELECT pg_sleep(CASE WHEN count(*) > 2 THEN 5 ELSE 0 END) FROM inventory_stock WHERE {}"
    monkeypatch.setattr(books, "MOST_SKUS", 12)
    for name, slice in (("_FROM_HERE", "sku > %(after)s AND sku <= %(last)s"), ("_TO_THE_END", "sku > %(after)s")):
        real = getattr(books, name)
        monkeypatch.setattr(books, name, f"SET LOCAL statement_timeout = 50; {slow.format(slice)}; {real}")

    seen = []
    for _ in range(4):
        look()
        turn = StockRound.objects.using("inventory").get()
        seen.append((turn.after, turn.skus))

    assert seen[:3] == [("", 1), ("A", 2), ("C", 4)]
    assert seen[3] == ("C", 1)


def test_while_orders_are_placed_nothing_is_ever_taken_for_drifted(shelf, committed, caplog):
    shelf.product("A", stock=10_000), shelf.product("B", stock=10_000)
    over = threading.Event()

    def trade(seed: int) -> None:
        for turn in range(25):
            order_id = uuid4()
            shelf.reserve(order_id, A=1, B=2)
            if turn % 3 == 0:
                shelf.release(order_id)
            elif turn % 3 == 1:
                with transaction.atomic(using="inventory"):
                    shelf.service.order_shipped(order_id=order_id)

    def watch() -> int:
        looks = 0
        while not over.is_set():
            look()
            looks += 1
        return looks

    def all_trade() -> None:
        try:
            assert together(*[partial(trade, seed) for seed in range(4)]) == [None] * 4
        finally:
            over.set()

    looks, traded = together(watch, all_trade)

    assert traded is None
    assert looks >= 10
    assert [record for record in caplog.records if "add up to" in record.getMessage()] == []
    assert marked() == []


def test_looking_waits_for_no_order_and_no_order_waits_for_it(shelf, committed):
    shelf.product("A", stock=10)
    stray("A", on_hand=9)
    locked, looked = threading.Event(), threading.Event()

    def order() -> None:
        with transaction.atomic(using="inventory"):
            assert Stock.objects.lock(["A"])
            locked.set()
            wait_until(looked.is_set)

    def watch() -> None:
        wait_until(locked.is_set)
        look()
        looked.set()

    assert together(order, watch) == [None, None]
    assert marked() == ["A"]


def test_the_relay_looks():
    (timer,) = [timer for timer in tasks.TIMERS if timer.name == "inventory.drift"]

    assert timer.run == tasks.SERVICE.look_for_drift
    assert timer.every <= 5.0


# --- Setting it right -----------------------------------------------------------------------------------------------


def set_to_journal(shelf, sku: str = "A", key: str = "k", **by: int):
    return shelf.service.set_to_journal(key=key, sku=sku, by=Change(**by), reason="Somebody's SQL.")


@pytest.mark.django_db
def test_stock_is_set_to_its_journal_once_and_told_and_the_journal_tells_of_it(shelf):
    shelf.product("A", stock=10)
    shelf.reserve(A=2)
    stray("A", on_hand=7, reserved=3, sold=4)
    look()
    before = len(shelf.told("InventoryUpdated"))

    first = set_to_journal(shelf, on_hand=3, reserved=-1, sold=-4)
    stray("A", on_hand=9)
    again = set_to_journal(shelf, on_hand=3, reserved=-1, sold=-4)

    assert (first.on_hand, first.reserved, first.sold) == (10, 2, 0)
    assert again.on_hand == 9
    assert shelf.movements("A") == [("reserve", 0, 2, 0), ("correction", 0, 0, 0)]
    assert StockMovement.objects.using("inventory").get(kind="correction").reason == "Somebody's SQL."
    told = shelf.told("InventoryUpdated")[before:]
    assert told == [{"sku": "A", "onHand": 10, "reserved": 2, "sold": 0, "orderId": None}]
    assert marked() == []


@pytest.mark.django_db
def test_stock_that_agrees_is_not_set(shelf):
    shelf.product("A", stock=10)

    with pytest.raises(NotDrifted):
        set_to_journal(shelf, on_hand=1)
    with pytest.raises(UnknownSku):
        set_to_journal(shelf, "X", on_hand=1)

    assert (shelf.balances("A"), shelf.movements("A")) == ((10, 0, 0), [])


@pytest.mark.django_db
def test_stock_that_strayed_further_since_it_was_shown_is_not_set(shelf):
    shelf.product("A", stock=10)
    stray("A", on_hand=8)

    with pytest.raises(DriftedOtherwise):
        set_to_journal(shelf, on_hand=1)

    assert (shelf.balances("A"), shelf.movements("A")) == ((8, 0, 0), [])


@pytest.mark.django_db
def test_orders_that_come_between_looking_and_setting_change_nothing_of_what_was_shown(shelf):
    shelf.product("A", stock=10)
    stray("A", on_hand=8)
    difference = books.compared("A").difference
    shelf.reserve(A=3)

    set_to_journal(shelf, on_hand=difference.on_hand)

    assert difference == Change(on_hand=2)
    assert shelf.balances("A") == (10, 3, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("movement", "data"),
    [
        ({"reserved": -1}, {"on_hand": 10, "reserved": 1, "sold": 0, "held": 2}),
        ({"reserved": 1}, {"on_hand": 10, "reserved": 3, "sold": 0, "held": 2}),
        ({"on_hand": -9}, {"on_hand": 1, "reserved": 2, "sold": 0, "held": 2}),
        ({"sold": -1}, {"on_hand": 10, "reserved": 2, "sold": -1, "held": 2}),
    ],
)
def test_a_journal_that_breaks_a_rule_or_forgets_a_reservation_is_not_taken_for_the_truth(shelf, movement, data):
    shelf.product("A", stock=10)
    shelf.reserve(A=2)
    StockMovement.objects.using("inventory").create(sku_id="A", kind="adjustment", key="lost", **movement)

    with pytest.raises(JournalBroken) as refused:
        set_to_journal(shelf, **movement)

    assert refused.value.data == data
    assert (shelf.balances("A"), len(shelf.movements("A"))) == ((10, 2, 0), 2)


def test_stock_is_set_right_in_the_middle_of_a_storm_of_orders_and_the_books_add_up(shelf, committed):
    shelf.product("A", stock=500)
    stray("A", on_hand=493, reserved=5)

    def trade(seed: int) -> None:
        for turn in range(12):
            order_id = uuid4()
            try:
                shelf.reserve(order_id, A=1)
            except OutOfStock:
                continue
            if turn % 2:
                shelf.release(order_id)

    answers = together(
        *[partial(trade, seed) for seed in range(4)],
        *[partial(set_to_journal, shelf, on_hand=7, reserved=-5)] * 3,
    )

    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    assert [kind for kind, *_ in shelf.movements("A")].count("correction") == 1
    assert not books.compared("A").drifted
    assert shelf.balances("A") == (500, Reservation.objects.using("inventory").filter(state="held").count(), 0)
    connections["inventory"].close()
