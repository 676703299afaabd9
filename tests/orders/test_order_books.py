"""The books of orders, as V1, V9 and V12 read them: a stream with a gap, or a row that strayed, is seen."""

from __future__ import annotations

import json

import psycopg2
import pytest
from django.conf import settings
from django.db import connections

from apps.orders.models import Order, OrderKey
from runtime.databases.transactions import snapshot
from runtime.eventstore.store import UnknownEvent
from tests.orders.shop import pounds
from tests.together import together


def audit(shop, order):
    (row,) = [row for row in shop.service.audit(after=None, limit=100).items if row.order_id == order.id]
    return row


def plant(statement: str, *parameters: object) -> None:
    """As the role that owns the tables: the running one could not."""
    connection = psycopg2.connect(settings.DATABASE_OWNERS["orders"])
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, [str(parameter) for parameter in parameters])
            assert cursor.rowcount == 1
    finally:
        connection.close()


@pytest.fixture
def order(committed, shop) -> Order:
    shop.product()
    return shop.place(("A", 2)).order


def test_an_order_that_ended_well_is_whole_in_the_books(shop, order):
    row = audit(shop, order)

    assert (row.order_id, row.status, row.total, row.refunded) == (
        order.id,
        "confirmed",
        pounds("20.00"),
        pounds("0.00"),
    )
    assert (row.gapless, row.folded, row.settled, row.keys) == (True, True, True, 1)
    assert row.updated_at == order.updated_at


def test_through_a_whole_life_stream_row_and_contract_say_the_same(shop, order):
    shop.ship(order.id)
    shop.service.deliver(order_id=order.id)
    shop.service.take_back(order_id=order.id, return_id=order.user_id, units={"A": 1}, reason="")
    shop.service.refund_booked(order_id=order.id, refund_id=order.user_id, amount=pounds("10.00"))

    row = audit(shop, order)
    told = shop.service.get(order_id=order.id)

    assert (row.status, row.refunded, row.gapless, row.folded) == ("delivered", pounds("10.00"), True, True)
    assert (told.status, told.version, told.total_amount) == ("delivered", 5, pounds("20.00"))


def test_an_order_that_is_still_worked_on_is_not_settled(shop, order):
    pending = shop.place(later=True).order

    assert audit(shop, pending).settled is False
    assert audit(shop, order).settled is True


@pytest.mark.parametrize("version", [1, 2])
def test_a_gap_in_a_stream_is_seen(shop, order, version):
    shop.ship(order.id)
    # The first event cannot be missed out: without it nothing folds at all.
    plant("UPDATE orders.eventstore_streamevent SET version = version + 10 WHERE stream = %s AND version = 3", order.id)
    if version == 2:
        plant("DELETE FROM orders.eventstore_streamevent WHERE stream = %s AND version = 2", order.id)

    assert audit(shop, order).gapless is False


def test_a_stream_that_ends_before_its_row_is_seen(shop, order):
    plant("DELETE FROM orders.eventstore_streamevent WHERE stream = %s AND version = 2", order.id)

    row = audit(shop, order)

    assert (row.gapless, row.folded) == (False, False)


def test_a_stream_that_is_gone_is_seen(shop, order):
    plant("DELETE FROM orders.eventstore_streamevent WHERE stream = %s AND version = 2", order.id)
    plant("DELETE FROM orders.eventstore_streamevent WHERE stream = %s AND version = 1", order.id)

    row = audit(shop, order)

    assert (row.gapless, row.folded) == (False, False)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "shipped"),
        ("total", "20.01"),
        ("currency", "EUR"),
        ("reason", "why not"),
        ("skus", json.dumps(["A"])),
        ("items", json.dumps([])),
        ("user_id", "018f0000-0000-7000-8000-000000000000"),
    ],
)
def test_a_row_that_strayed_from_its_stream_is_seen_and_put_right_by_rebuilding(shop, order, column, value):
    plant(f"UPDATE orders.orders_order SET {column} = %s WHERE id = %s", value, order.id)
    assert (audit(shop, order).folded, audit(shop, order).gapless) == (False, True)

    rebuilt = shop.service.rebuild_read_model(progress=lambda rows: None)

    assert (rebuilt.rows, rebuilt.strayed) == (1, 1)
    assert audit(shop, order).folded is True
    assert shop.service.rebuild_read_model(progress=lambda rows: None).strayed == 0


def test_a_row_that_is_gone_comes_back_by_rebuilding_and_the_hash_is_as_before(shop, order):
    before = shop.service.rebuild_read_model(progress=lambda rows: None)
    plant("DELETE FROM orders.orders_order WHERE id = %s", order.id)

    rebuilt = shop.service.rebuild_read_model(progress=lambda rows: None)

    assert (rebuilt.strayed, rebuilt.after) == (1, before.after)
    assert shop.order(order.id).status == "confirmed"


def test_an_event_that_nobody_knows_stops_the_audit_instead_of_being_skipped(shop, order):
    plant("UPDATE orders.eventstore_streamevent SET event_type = 'Mystery' WHERE stream = %s AND version = 2", order.id)

    with pytest.raises(UnknownEvent, match=f"{order.id} holds Mystery"):
        audit(shop, order)


def test_an_order_without_its_key_is_seen(shop, order):
    OrderKey.objects.using("orders").all().delete()

    assert audit(shop, order).keys == 0


def test_the_books_come_in_pages_in_order_of_id(shop, order):
    placed = [order, *(shop.place(later=True).order for _ in range(4))]

    first = shop.service.audit(after=None, limit=3)
    second = shop.service.audit(after=first.next, limit=3)

    assert [row.order_id for row in (*first.items, *second.items)] == sorted(one.id for one in placed)
    assert second.next is None


def test_a_page_of_the_books_is_of_one_moment(shop, order):
    """What is committed while a page is read is not half in it."""
    with snapshot("orders"), connections["orders"].cursor() as cursor:
        cursor.execute("SELECT status FROM orders_order")
        together(lambda: shop.ship(order.id))
        cursor.execute("SELECT status FROM orders_order")
        assert cursor.fetchall() == [("confirmed",)]
        cursor.execute("SELECT count(*) FROM eventstore_streamevent")
        assert cursor.fetchone() == (2,)
