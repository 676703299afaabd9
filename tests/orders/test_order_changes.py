"""After it is placed: cancelled, shipped, delivered, returned; and as it was before."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.utils import OperationalError

from apps.orders.aggregate import NotReturnable, WrongStatus
from apps.orders.models import OrderRefund
from apps.orders.sagas import CancelOrder, ReturnOrder
from apps.orders.service import NoSuchVersion
from apps.payments import books
from apps.payments.models import Payment
from apps.payments.service import SERVICE as PAYMENTS
from contracts.orders import OrderUnknown
from runtime.saga.models import SagaRun
from tests.orders.shop import pounds

pytestmark = pytest.mark.django_db

# --- Cancelling -----------------------------------------------------------------------------------------------------


def test_cancelling_a_confirmed_order_gives_stock_and_money_back_once(shop):
    shop.product()
    order = shop.place(("A", 2)).order

    first, again = shop.cancel(order.id), shop.cancel(order.id)

    assert (first.status, first.reason, again.status) == ("cancelled", "cancelled", "cancelled")
    assert (shop.stock(), shop.reservation(order.id)) == ((10, 0), "closed")
    assert shop.moved(order.id) == [("capture", "20.00"), ("refund", "20.00")]
    assert shop.saga(order.id, CancelOrder.name) == "completed"
    assert shop.stream(order.id) == ["OrderCreated", "OrderConfirmed", "OrderCancelled"]
    assert shop.notes(order.id) == [("cancel", "changed my mind")]


def test_while_payments_are_away_a_cancelled_order_is_cancelled_and_the_money_follows(shop, monkeypatch):
    shop.product()
    order = shop.place().order
    with monkeypatch.context() as patched:
        patched.setattr(books, "begin_void", _gone)
        assert shop.cancel(order.id).status == "cancelled"
    assert shop.moved(order.id) == [("capture", "10.00")]
    assert shop.saga(order.id, CancelOrder.name) == "running"

    assert shop.go_on(order.id, CancelOrder.name).state == "completed"
    assert shop.moved(order.id) == [("capture", "10.00"), ("refund", "10.00")]


def test_an_order_cancelled_before_its_first_step_is_never_charged(shop):
    shop.product()
    order = shop.place(later=True).order

    assert shop.cancel(order.id).status == "cancelled"
    assert shop.go_on(order.id).state == "compensated"

    assert (shop.order(order.id).status, shop.order(order.id).reason) == ("cancelled", "cancelled")
    assert (shop.stock(), shop.moved(order.id)) == ((10, 0), [])
    assert shop.stream(order.id) == ["OrderCreated", "OrderCancelled"]
    assert not SagaRun.objects.using("orders").filter(definition=CancelOrder.name).exists()


def test_an_order_cancelled_while_its_payment_settles_ends_with_nothing_taken(shop):
    shop.product()
    order = shop.place(method="pm_card_async").order
    assert order.status == "pending"

    shop.cancel(order.id)
    assert shop.go_on(order.id).state == "compensated"

    assert (shop.payment(order.id), shop.moved(order.id), shop.stock()) == ("voided", [], (10, 0))


def test_an_unknown_order_cannot_be_changed(shop):
    for change in (shop.cancel, shop.ship, lambda order_id: shop.service.deliver(order_id=order_id)):
        with pytest.raises(OrderUnknown):
            change(uuid4())


# --- Shipping and delivering ----------------------------------------------------------------------------------------


def test_an_order_is_shipped_and_delivered_in_that_order_and_once(shop):
    shop.product()
    order = shop.place().order
    with pytest.raises(WrongStatus):
        shop.service.deliver(order_id=order.id)

    assert shop.ship(order.id).status == "shipped"
    with pytest.raises(WrongStatus):
        shop.ship(order.id)
    with pytest.raises(WrongStatus):
        shop.cancel(order.id)
    assert shop.service.deliver(order_id=order.id).status == "delivered"
    with pytest.raises(WrongStatus):
        shop.cancel(order.id)

    assert shop.stream(order.id) == ["OrderCreated", "OrderConfirmed", "OrderShipped", "OrderDelivered"]
    assert shop.told(order.id)[2:] == [(3, "OrderShipped"), (4, "OrderDelivered")]
    assert shop.moved(order.id) == [("capture", "10.00")]
    assert shop.notes(order.id) == []


def test_what_is_pending_or_cancelled_cannot_be_shipped(shop):
    shop.product()
    pending, cancelled = shop.place(later=True).order, shop.place().order
    shop.cancel(cancelled.id)

    for order in (pending, cancelled):
        with pytest.raises(WrongStatus):
            shop.ship(order.id)

    assert (shop.order(pending.id).status, shop.order(pending.id).version) == ("pending", 1)


# --- Taking back ----------------------------------------------------------------------------------------------------


def take_back(shop, order, units, return_id=None):
    return shop.service.take_back(order_id=order.id, return_id=return_id or uuid4(), units=units, reason="broken")


def test_what_comes_back_is_refunded_once_for_its_return(shop):
    shop.product("A", price="10.00"), shop.product("B", price="5.00")
    order, return_id = shop.delivered(("A", 2), ("B", 1)), uuid4()

    for _ in range(2):
        taken = take_back(shop, order, {"A": 1}, return_id)

    assert (taken.status, len(taken.returns)) == ("delivered", 1)
    assert shop.moved(order.id) == [("capture", "25.00"), ("refund", "10.00")]
    assert shop.saga(return_id, ReturnOrder.name) == "completed"
    assert shop.notes(order.id) == [("return", "broken")]
    assert take_back(shop, order, {"A": 1, "B": 1}).status == "returned"
    assert shop.moved(order.id)[2:] == [("refund", "15.00")]
    assert shop.stream(order.id)[4:] == ["OrderReturned", "OrderReturned"]


def test_more_than_is_left_and_what_was_not_delivered_cannot_come_back(shop):
    shop.product()
    order, confirmed = shop.delivered(("A", 2)), shop.place().order

    with pytest.raises(NotReturnable):
        take_back(shop, order, {"A": 3})
    with pytest.raises(WrongStatus):
        take_back(shop, confirmed, {"A": 1})

    assert shop.moved(order.id) == [("capture", "20.00")]
    assert not SagaRun.objects.using("orders").filter(definition=ReturnOrder.name).exists()


def test_a_return_whose_money_was_given_already_asks_for_attention_and_gives_nothing_more(shop):
    shop.product()
    order, return_id = shop.delivered(("A", 2)), uuid4()
    payment = Payment.objects.using("payments").get(order_id=order.id)
    PAYMENTS.refund_payment(payment_id=payment.id, key="goodwill", amount=pounds("15.00"), reason="goodwill")

    assert len(take_back(shop, order, {"A": 1}, return_id).returns) == 1

    assert shop.saga(return_id, ReturnOrder.name) == "needs_attention"
    assert shop.moved(order.id) == [("capture", "20.00"), ("refund", "15.00")]


def test_a_refund_told_twice_is_booked_once_on_the_order(shop):
    refund_id, order_id = uuid4(), uuid4()
    for _ in range(2):
        shop.service.refund_booked(order_id=order_id, refund_id=refund_id, amount=pounds("5.00"))

    assert OrderRefund.objects.using("orders").get().amount == Decimal("5.00")


# --- As it was ------------------------------------------------------------------------------------------------------


def test_an_order_is_shown_as_it_was_after_each_version(shop):
    shop.product()
    order = shop.place().order
    shop.ship(order.id)

    def status(version):
        return shop.service.order_before(order_id=order.id, user_id=None, version=version).status

    assert [status(version) for version in (1, 2, 3)] == ["pending", "confirmed", "shipped"]
    for version in (0, 4):
        with pytest.raises(NoSuchVersion):
            status(version)


def test_an_order_is_shown_as_it_was_at_a_time_inclusive(shop):
    shop.product()
    order = shop.place().order
    created, confirmed = (entry.recorded_at for entry in shop.service.events(order_id=order.id, user_id=None))

    def status(moment):
        return shop.service.order_before(order_id=order.id, user_id=None, as_of=moment).status

    assert status(created) == status(confirmed - timedelta(microseconds=1)) == "pending"
    assert status(confirmed) == status(confirmed + timedelta(days=1)) == "confirmed"
    with pytest.raises(NoSuchVersion):
        status(created - timedelta(microseconds=1))
    with pytest.raises(OrderUnknown):
        shop.service.order_before(order_id=order.id, user_id=uuid4(), version=1)


def _gone(*words, **named) -> None:
    raise OperationalError("the server is gone")
