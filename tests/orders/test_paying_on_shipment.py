"""Paying on shipment: the money is held when the order is placed, and taken when the parcel leaves, once or never."""

from __future__ import annotations

from typing import Any

import pytest

from apps.orders.aggregate import WrongStatus
from apps.orders.sagas import CancelOrder, ShipOrder, payment_key
from apps.orders.service import NotPaid
from apps.payments import asking
from apps.payments.gateways import CANCELLED
from apps.payments.service import SERVICE as PAYMENTS
from contracts._base import Unavailable
from runtime.saga import attention, store
from runtime.saga.engine import advance
from runtime.saga.models import SagaRun
from tests.payments.provider import Provider
from tests.together import shift_clock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def on_shipment(settings):
    settings.PAYMENT_CAPTURE = "shipment"


@pytest.fixture
def provider(monkeypatch) -> Provider:
    """Payments ask a provider of the tests' own."""
    provider = Provider()
    monkeypatch.setitem(PAYMENTS.__dict__, "_provider", asking.Provider(provider))
    return provider


def ship_runs() -> Any:
    return SagaRun.objects.using("orders").filter(definition=ShipOrder.name)


def go_on() -> str:
    """As the worker that comes next for the shipment."""
    ship_runs().update(lease_until=None)
    run = store.claim(ship_runs().get().id, using="orders")
    assert run is not None
    return advance(run, budget=10.0).state


def test_the_money_is_held_at_first_and_taken_once_the_parcel_leaves(shop):
    shop.product()
    order = shop.place(("A", 2)).order
    assert (order.status, shop.payment(order.id), shop.moved(order.id)) == ("confirmed", "authorized", [])

    shipped = shop.ship(order.id)

    assert (shipped.status, shop.payment(order.id)) == ("shipped", "captured")
    assert shop.moved(order.id) == [("capture", "20.00")]
    assert shop.stream(order.id) == ["OrderCreated", "OrderConfirmed", "OrderPacked", "OrderShipped"]
    assert ship_runs().get().state == "completed"
    with pytest.raises(WrongStatus):
        shop.ship(order.id)
    with pytest.raises(WrongStatus):
        shop.cancel(order.id)


def test_an_order_that_is_cancelled_before_it_leaves_is_never_charged(shop):
    shop.product()
    order = shop.place().order

    assert shop.cancel(order.id).status == "cancelled"

    assert (shop.payment(order.id), shop.moved(order.id), shop.stock()) == ("voided", [], (10, 0))
    assert shop.saga(order.id, CancelOrder.name) == "completed"
    with pytest.raises(WrongStatus):
        shop.ship(order.id)


def test_what_cannot_be_taken_is_not_shipped_and_the_order_can_still_be_cancelled(shop, provider):
    shop.product()
    order = shop.place().order
    provider.charges[payment_key(order.id)].state = CANCELLED

    with pytest.raises(NotPaid) as refused:
        shop.ship(order.id)

    assert refused.value.data == {"reason": "payment_closed"}
    assert shop.stream(order.id)[2:] == ["OrderPacked", "OrderUnpaid"]
    assert (shop.order(order.id).status, shop.moved(order.id)) == ("confirmed", [])
    assert shop.reservation(order.id) == "held"
    assert shop.cancel(order.id).status == "cancelled"
    assert shop.stock() == (10, 0)


def test_while_it_is_not_known_whether_the_money_was_taken_the_parcel_waits_and_nothing_else_happens(shop, provider):
    shop.product()
    order = shop.place().order
    provider.misbehave["capture"] = ["after"]
    provider.misbehave["look_up"] = ["before"]

    assert shop.ship(order.id).status == "confirmed"
    with pytest.raises(WrongStatus, match="being shipped"):
        shop.cancel(order.id)
    with pytest.raises(WrongStatus, match="being shipped already"):
        shop.ship(order.id)

    assert go_on() == "completed"
    assert (shop.order(order.id).status, shop.moved(order.id)) == ("shipped", [("capture", "10.00")])
    assert provider.net() == 10


def test_while_payments_are_away_the_parcel_waits(shop, monkeypatch):
    shop.product()
    order = shop.place().order

    def away(*words: Any, **named: Any) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr("apps.payments.books.begin_capture", away)
        assert shop.ship(order.id).status == "confirmed"
    assert go_on() == "completed"
    assert shop.order(order.id).status == "shipped"


def test_an_operator_can_undo_a_shipment_whose_money_nobody_can_tell_of(shop, provider):
    shop.product()
    order = shop.place().order
    provider.misbehave["capture"] = [ZeroDivisionError("the provider's answer made no sense")] * 6
    shop.ship(order.id)
    assert [go_on() for _ in range(4)] == ["running"] * 4
    shift_clock("orders", "121 seconds")
    assert go_on() == "needs_attention"
    run = ship_runs().get()

    attention.compensate(run.id, None, using="orders")

    assert go_on() == "compensated"
    assert shop.stream(order.id)[2:] == ["OrderPacked", "OrderUnpaid"]
    assert shop.cancel(order.id).status == "cancelled"
    assert (provider.net(), shop.stock()) == (0, (10, 0))


def test_money_that_is_held_later_wakes_the_order_that_waits_for_it(shop):
    shop.product()
    order = shop.place(method="pm_card_async").order
    assert order.status == "pending"

    shop.service.payment_settled(order_id=order.id)
    assert shop.saga(order.id) == "running"


def test_a_setting_that_changes_later_changes_no_order_that_is_there(shop, settings):
    shop.product()
    held = shop.place().order
    settings.PAYMENT_CAPTURE = "order"
    taken = shop.place().order

    assert shop.ship(held.id).status == shop.ship(taken.id).status == "shipped"

    assert shop.stream(held.id)[2:] == ["OrderPacked", "OrderShipped"]
    assert shop.stream(taken.id)[2:] == ["OrderShipped"]
    assert shop.moved(held.id) == shop.moved(taken.id) == [("capture", "10.00")]
