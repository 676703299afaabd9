"""Placing an order: once for its key, at the server's prices, and it ends well whoever is away meanwhile."""

from __future__ import annotations

import json
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.utils import OperationalError

from apps.inventory import queries as inventory_queries
from apps.inventory import service as inventory_service
from apps.orders.models import OrderKey
from apps.orders.service import KeyUsedForAnother, NotAccepting
from apps.orders.wishes import TotalTooLarge, UnknownProducts
from apps.payments import books as payment_books
from apps.users import accounts as users_accounts
from contracts._base import Unavailable
from runtime.eventstore.models import StreamEvent
from runtime.messaging.models import OutboxMessage
from runtime.saga.models import SagaRun

pytestmark = pytest.mark.django_db

STEPS = ["validate_user", "reserve_inventory", "process_payment", "confirm_order"]


def test_a_good_order_is_confirmed_paid_and_held_and_each_step_is_noted(shop):
    shop.product("A", stock=10, price="12.50"), shop.product("B", stock=5, price="0.99")

    placed = shop.place(("A", 2), ("B", 3), key="k")

    order = placed.order
    assert (placed.replayed, order.status, order.version, order.total) == (False, "confirmed", 2, Decimal("27.97"))
    assert [(line.sku, line.name, line.quantity, str(line.unit_price)) for line in order.lines] == [
        ("A", "Product A", 2, "12.50 GBP"),
        ("B", "Product B", 3, "0.99 GBP"),
    ]
    assert shop.moved(order.id) == [("capture", "27.97")]
    assert (shop.stock("A"), shop.stock("B")) == ((10, 2), (5, 3))
    assert shop.stream(order.id) == ["OrderCreated", "OrderConfirmed"]
    assert shop.told(order.id) == [(1, "OrderCreated"), (2, "OrderConfirmed")]
    run = SagaRun.objects.using("orders").get(subject=order.id)
    assert run.state == "completed"
    assert [(entry["step"], entry["result"]) for entry in run.log] == [(step, "succeeded") for step in STEPS]
    key = OrderKey.objects.using("orders").get()
    assert (key.principal, key.key, key.order_id) == (shop.user_id, "k", order.id)


def test_while_no_new_orders_are_taken_nothing_is_stored_and_what_was_ordered_is_answered(shop, go_by):
    shop.product()
    placed = shop.place(key="before")
    go_by({"orders.accepting": "off"})

    with pytest.raises(NotAccepting):
        shop.place(key="now")

    assert shop.place(key="before").order == placed.order
    assert (OrderKey.objects.using("orders").count(), shop.stock()) == (1, (10, 1))
    go_by({})
    assert shop.place(key="now").order.status == "confirmed"


def test_the_budget_is_what_it_is_now(shop, go_by):
    shop.product()
    go_by({"orders.budget": "0s"})

    assert shop.place(key="now").order.status == "pending"


def test_who_prefers_not_to_wait_gets_a_pending_order_that_a_worker_goes_on_with(shop):
    shop.product()

    placed = shop.place(later=True)

    assert (placed.order.status, shop.payment(placed.order.id), shop.stock()) == ("pending", None, (10, 0))
    assert shop.go_on(placed.order.id).state == "completed"
    assert (shop.order(placed.order.id).status, shop.stock()) == ("confirmed", (10, 1))


@pytest.mark.parametrize(
    ("method", "reason"),
    [("pm_card_declined", "payment_declined"), ("pm_card_insufficient_funds", "insufficient_funds")],
)
def test_a_declined_order_exists_cancelled_with_its_reason_and_holds_nothing(shop, method, reason):
    shop.product()

    order = shop.place(method=method).order

    assert (order.status, order.reason, order.skus) == ("cancelled", reason, [])
    assert (shop.stock(), shop.reservation(order.id), shop.moved(order.id)) == ((10, 0), "closed", [])
    assert shop.stream(order.id) == ["OrderCreated", "OrderCancelled"]
    assert shop.saga(order.id) == "compensated"


def test_an_order_beyond_the_stock_is_cancelled_with_the_skus_and_never_charged(shop):
    shop.product("A"), shop.product("B", stock=1)

    order = shop.place(("A", 1), ("B", 2)).order

    assert (order.status, order.reason, order.skus) == ("cancelled", "out_of_stock", ["B"])
    assert (shop.payment(order.id), shop.stock("A"), shop.stock("B")) == (None, (10, 0), (1, 0))


@pytest.mark.parametrize(("known", "reason"), [(True, "user_inactive"), (False, "user_unknown")])
def test_an_order_for_somebody_who_may_not_place_one_is_cancelled_before_anything_is_held(shop, known, reason):
    shop.product()
    shop.close_account()

    order = shop.place(user_id=shop.user_id if known else uuid4()).order

    assert (order.status, order.reason) == ("cancelled", reason)
    assert (shop.reservation(order.id), shop.payment(order.id)) == (None, None)


# --- Prices and lines -----------------------------------------------------------------------------------------------


def test_a_sku_in_several_lines_at_several_prices_stays_in_its_lines_and_is_held_in_sum(shop):
    shop.product("A", price="10.00")

    order = shop.place(("A", 2), ("A", 1, "7.50")).order

    assert [(line.quantity, str(line.unit_price.amount)) for line in order.lines] == [(2, "10.00"), (1, "7.50")]
    assert (order.total, shop.stock()) == (Decimal("27.50"), (10, 3))


def test_lines_that_name_what_is_not_sold_are_told_by_position_and_nothing_is_stored(shop):
    shop.product("A"), shop.product("gone", active=False)

    with pytest.raises(UnknownProducts) as refused:
        shop.place(("A", 1), ("X", 1), ("A", 1), ("gone", 1))

    assert refused.value.data == {"lines": [1, 3]}
    assert shop.counts() == (0, 0, 0, 0)


def test_a_total_that_cannot_be_booked_is_refused_and_nothing_is_stored(shop):
    shop.product("A", price="9999999999999.99")

    with pytest.raises(TotalTooLarge):
        shop.place(("A", 1_000_000))

    assert shop.counts() == (0, 0, 0, 0)


# --- One key --------------------------------------------------------------------------------------------------------


def test_the_same_key_again_is_the_same_order_as_it_is_now(shop):
    shop.product()
    first = shop.place(("A", 2), key="k")
    shop.cancel(first.order.id)

    again = shop.place(("A", 2), key="k")

    assert (again.replayed, again.order.id, again.order.status) == (True, first.order.id, "cancelled")
    assert shop.counts()[:2] == (1, 1)


def test_the_same_key_for_another_order_is_refused(shop):
    shop.product()
    shop.place(key="k", fingerprint="f")

    with pytest.raises(KeyUsedForAnother):
        shop.place(key="k", fingerprint="g")

    assert shop.counts()[:2] == (1, 1)


def test_a_key_belongs_to_who_placed_the_order_and_not_to_whom_it_is_for(shop):
    shop.product()
    operator = uuid4()

    own, for_him = shop.place(key="k"), shop.place(key="k", placed_by=operator)

    assert own.order.id != for_him.order.id
    assert own.order.user_id == for_him.order.user_id == shop.user_id
    assert shop.place(key="k", placed_by=operator).order.id == for_him.order.id


# --- Somebody is away -----------------------------------------------------------------------------------------------


def away(*answers):
    """A question that meets an outage the first time, and goes through after that."""
    original, tries = answers[0], []

    def ask(*words, **named):
        tries.append(words)
        if len(tries) == 1:
            raise OperationalError("the server is gone")
        return original(*words, **named)

    return ask


def test_while_the_catalogue_is_away_nothing_is_stored_and_the_same_key_is_good_afterwards(shop, monkeypatch):
    shop.product()
    monkeypatch.setattr(inventory_queries, "quote", away(inventory_queries.quote))

    with pytest.raises(Unavailable):
        shop.place(key="k")
    assert shop.counts() == (0, 0, 0, 0)

    assert shop.place(key="k").order.status == "confirmed"


@pytest.mark.parametrize(
    ("module", "question", "step"),
    [
        (users_accounts, "as_contract", "validate_user"),
        (inventory_service, "_reserve", "reserve_inventory"),
        (payment_books, "begin_charge", "process_payment"),
    ],
)
def test_while_a_neighbour_is_away_the_order_is_pending_and_ends_confirmed_once(
    shop, monkeypatch, module, question, step
):
    shop.product()
    monkeypatch.setattr(module, question, away(getattr(module, question)))

    order = shop.place(key="k").order
    assert (order.status, shop.saga(order.id)) == ("pending", "running")
    assert shop.place(key="k").order.status == "pending"

    assert shop.go_on(order.id).state == "completed"
    assert shop.order(order.id).status == "confirmed"
    assert shop.moved(order.id) == [("capture", "10.00")]
    assert shop.stock() == (10, 1)
    run = SagaRun.objects.using("orders").get()
    assert (step, "unavailable") in [(entry["step"], entry["result"]) for entry in run.log]


# --- What people write ----------------------------------------------------------------------------------------------


def test_what_people_write_is_kept_beside_the_stream_and_never_told(shop):
    shop.product()
    order = shop.place(note="ring twice, Ada Lovelace").order
    shop.cancel(order.id)
    back = shop.delivered()
    shop.service.take_back(order_id=back.id, return_id=uuid4(), units={"A": 1}, reason="it smells of Ada Lovelace")

    assert shop.notes(order.id) == [("note", "ring twice, Ada Lovelace"), ("cancel", "changed my mind")]
    assert shop.notes(back.id) == [("return", "it smells of Ada Lovelace")]
    told = list(OutboxMessage.objects.using("orders").values_list("data", flat=True))
    recorded = list(StreamEvent.objects.using("orders").values_list("data", flat=True))
    noted = list(SagaRun.objects.using("orders").values_list("data", "log", "refusal"))
    assert len(recorded) >= 7
    for words in ("Ada", "mind", "smells", "example.com"):
        assert words not in json.dumps([told, recorded, noted])
