"""The books of the stock, as the guarantees V4 and V5 read them: all figures of a page are of one moment."""

from __future__ import annotations

from uuid import uuid4

from django.db import transaction

from apps.inventory.models import Stock
from contracts.inventory import Line


def audit(shelf, sku: str):
    (row,) = [row for row in shelf.service.audit(after=None, limit=100).items if row.sku == sku]
    return row


def test_the_books_of_a_product_add_up_through_all_that_can_happen(shelf, committed):
    shelf.product("A", stock=10)
    shelf.service.restock(key="k", sku="A", quantity=5, reason="")
    shelf.service.adjust(key="k", sku="A", quantity=-2, reason="")
    shipped, held, given_back = uuid4(), uuid4(), uuid4()
    shelf.reserve(shipped, A=4), shelf.reserve(held, A=3), shelf.reserve(given_back, A=1)
    shelf.release(given_back)
    with transaction.atomic(using="inventory"):
        shelf.service.order_shipped(order_id=shipped)
    with transaction.atomic(using="inventory"):
        shelf.service.order_returned(return_id=uuid4(), order_id=shipped, lines=[Line(sku="A", quantity=1)])

    row = audit(shelf, "A")

    assert (row.on_hand, row.reserved, row.sold) == (10, 3, 4)
    assert (row.opening, row.receipts, row.returns, row.adjustments) == (10, 5, 1, -2)
    assert row.on_hand + row.sold == row.opening + row.receipts + row.returns + row.adjustments
    assert row.held == 3
    assert (row.moved_on_hand, row.moved_reserved, row.moved_sold) == (10, 3, 4)


def test_a_product_without_any_movement_has_books_of_zeros(shelf, committed):
    shelf.product("A")

    row = audit(shelf, "A")

    assert (row.on_hand, row.opening, row.held, row.moved_on_hand) == (0, 0, 0, 0)


def test_the_books_show_balances_that_strayed_from_their_movements(shelf, committed):
    shelf.product("A", stock=10)
    shelf.reserve(A=2)
    Stock.objects.using("inventory").filter(pk="A").update(on_hand=9, reserved=5)

    row = audit(shelf, "A")

    assert (row.on_hand, row.moved_on_hand, row.reserved, row.moved_reserved, row.held) == (9, 10, 5, 2, 2)


def test_the_books_come_in_pages_in_order_of_sku(shelf, committed):
    for sku in "CABD":
        shelf.product(sku)

    first = shelf.service.audit(after=None, limit=3)
    second = shelf.service.audit(after=first.next, limit=3)

    assert ([row.sku for row in first.items], first.next) == (["A", "B", "C"], "C")
    assert ([row.sku for row in second.items], second.next) == (["D"], None)
