"""The catalogue and the shelf: what arrives, what was counted, and what it costs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connections, transaction
from django.db.utils import IntegrityError, ProgrammingError

from apps.inventory.models import Change, Stock
from apps.inventory.service import BelowReserved, SkuTaken
from contracts._base import Money
from contracts.inventory import UnknownSku

pytestmark = pytest.mark.django_db


def pounds(text: str) -> Money:
    return Money(Decimal(text), "GBP")


# --- Movements of the keepers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("move", ["restock", "adjust"])
def test_what_arrives_or_was_counted_is_booked_once_for_its_key(shelf, move):
    shelf.product("A", stock=10)
    book = getattr(shelf.service, move)

    first = book(key="k", sku="A", quantity=5, reason="delivery")
    again = book(key="k", sku="A", quantity=5, reason="delivery")
    other = book(key="l", sku="A", quantity=1, reason="delivery")

    assert (first.on_hand, again.on_hand, other.on_hand) == (15, 15, 16)
    kind = {"restock": "receipt", "adjust": "adjustment"}[move]
    assert shelf.movements("A") == [(kind, 5, 0, 0), (kind, 1, 0, 0)]
    assert [event["onHand"] for event in shelf.told("InventoryUpdated")] == [10, 15, 16]


def test_one_key_for_two_products_and_for_two_kinds_of_movement_is_not_one_key(shelf):
    shelf.product("A"), shelf.product("B")
    shelf.service.restock(key="k", sku="A", quantity=5, reason="")
    shelf.service.restock(key="k", sku="B", quantity=5, reason="")
    shelf.service.adjust(key="k", sku="A", quantity=1, reason="")

    assert (shelf.balances("A"), shelf.balances("B")) == ((6, 0, 0), (5, 0, 0))


def test_opening_stock_is_counted_once_for_its_key(shelf):
    shelf.product("A", stock=7)
    shelf.service.open_stock(key="test", sku="A", quantity=7)

    assert shelf.balances("A") == (7, 0, 0)


def test_fewer_than_are_held_cannot_be_counted(shelf):
    shelf.product("A", stock=10)
    shelf.reserve(A=6)

    with pytest.raises(BelowReserved):
        shelf.service.adjust(key="k", sku="A", quantity=-5, reason="stolen")
    assert (shelf.balances("A"), shelf.movements("A")) == ((10, 6, 0), [("reserve", 0, 6, 0)])

    assert shelf.service.adjust(key="k", sku="A", quantity=-4, reason="stolen").on_hand == 6


def test_a_count_that_was_booked_stays_booked_also_where_it_would_be_refused_by_now(shelf):
    shelf.product("A", stock=10)
    shelf.service.adjust(key="k", sku="A", quantity=-5, reason="stolen")
    shelf.reserve(A=5)

    assert shelf.service.adjust(key="k", sku="A", quantity=-5, reason="stolen").on_hand == 5


@pytest.mark.parametrize("move", ["restock", "adjust", "open_stock"])
def test_an_unknown_product_has_no_shelf(shelf, move):
    more = {} if move == "open_stock" else {"reason": "x"}
    with pytest.raises(UnknownSku) as refused:
        getattr(shelf.service, move)(key="k", sku="X", quantity=1, **more)

    assert refused.value.data == {"skus": ["X"]}


# --- What the database keeps whatever the code does -----------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [Change(reserved=-1), Change(reserved=11), Change(on_hand=-11), Change(sold=-1), Change(on_hand=-5)]
)
def test_no_movement_gets_past_the_rules_of_the_balances(shelf, change):
    shelf.product("A", stock=10)
    shelf.reserve(A=0) if change.on_hand != -5 else shelf.reserve(A=6)
    met = shelf.balances("A")

    with (
        pytest.raises(IntegrityError, match="stock_zero_le_reserved_le_on_hand"),
        transaction.atomic(using="inventory"),
    ):
        Stock.objects.move({"A": change}, kind="adjustment", key="x")

    assert shelf.balances("A") == met


@pytest.mark.parametrize("statement", ["UPDATE {} SET on_hand = 0", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_running_role_can_change_no_movement(shelf, statement):
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(using="inventory"),
        connections["inventory"].cursor() as cursor,
    ):
        cursor.execute(statement.format("inventory_stockmovement"))


# --- The catalogue --------------------------------------------------------------------------------------------------


def test_a_quote_names_the_price_and_leaves_out_what_does_not_exist(shelf):
    shelf.product("B", price="2.50"), shelf.product("A", price="12.00"), shelf.product("C", active=False)

    quoted = shelf.service.quote(skus=["X", "C", "A", "B", "A"])

    assert [(p.sku, p.name, str(p.price), p.active) for p in quoted] == [
        ("A", "Product A", "12.00 GBP", True),
        ("B", "Product B", "2.50 GBP", True),
        ("C", "Product C", "10.00 GBP", False),
    ]
    assert shelf.service.quote(skus=[]) == ()


def test_a_sku_belongs_to_one_product(shelf):
    shelf.product("A", stock=3, price="5.00")

    with pytest.raises(SkuTaken) as refused:
        shelf.product("A", price="6.00")

    assert refused.value.data == {"sku": "A"}
    assert shelf.service.product(sku="A").price == pounds("5.00")
    assert shelf.balances("A") == (3, 0, 0)


def test_a_price_may_change_and_an_unknown_product_not(shelf):
    shelf.product("A", price="5.00")

    changed = shelf.service.change_product(sku="A", changes={"price": pounds("6.50"), "active": False})

    assert (changed.price, changed.active, changed.name) == (pounds("6.50"), False, "Product A")
    with pytest.raises(UnknownSku):
        shelf.service.change_product(sku="X", changes={"active": False})
