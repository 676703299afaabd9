"""Goods that came back, at the console: what exactly will happen is shown first, and is what happens."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client

from apps.orders.models import Order
from apps.orders.service import SERVICE
from apps.orders.wishes import WantedLine, Wish
from apps.payments.service import SERVICE as PAYMENTS
from contracts._base import Money
from runtime.audit.models import AuditEntry
from runtime.console.timelines import Timeline
from runtime.saga.models import SagaRun
from tests.trade import GOOD_CARD, Trade

pytestmark = pytest.mark.django_db


def address(order: Order, page: str = "change") -> str:
    return f"/admin/orders/order/{order.id}/{page}/"


def taken_back(order: Order) -> list[tuple[dict[str, int], str]]:
    """What came back each time, and for how much."""
    return [({line.sku: line.quantity for line in made.items}, str(made.refund)) for made in order.returned]


def test_what_exactly_will_happen_is_shown_first_and_is_what_happens(sign_in, trade: Trade) -> None:
    operator = sign_in("operator")
    order = trade.delivered(units=3, sku=(sku := trade.product(stock=10)))
    page = operator.get(address(order, "return"))
    assert f"Up to 3 x {sku} can come back." in page.content.decode()
    assert "Show what will happen" in page.content.decode()
    form = {"units_1": "2", "reason": "Torn.", "key": str(page.context["form"].initial["key"])}

    looked = operator.post(address(order, "return"), form)

    assert looked.status_code == 200
    assert looked.context["preview"] == (
        "25.00 GBP goes back to the customer, within a minute. That cannot be undone.",
        f"2 x {sku} goes back on the shelf and can be bought again.",
        f"The order stays delivered: 1 x {sku} can still come back.",
    )
    assert "Show what will happen" not in looked.content.decode()
    assert (taken_back(trade.again(order)), AuditEntry.objects.using("orders").count()) == ([], 0)

    answer = operator.post(address(order, "return"), {**form, "seen": looked.context["seen"]})

    assert (answer.status_code, answer["Location"]) == (302, address(order))
    again = trade.again(order)
    assert (again.status, taken_back(again)) == ("delivered", [({sku: 2}, "25.00 GBP")])
    assert [str(refund.money) for refund in trade.payment(order).refunds.all()] == ["25.00 GBP"]
    heard(order)
    assert trade.stock(sku).on_hand == 9


def heard(order: Order) -> None:
    """Inventory hears what orders told of it, as the broker would bring it."""
    from apps.inventory.handlers import order_returned, order_shipped
    from apps.orders import repository
    from contracts.orders import OrderReturned, OrderShipped

    handlers = {OrderShipped: order_shipped, OrderReturned: order_returned}
    with transaction.atomic(using="inventory"):
        for entry in repository.history(order.id):
            if handle := handlers.get(type(entry.event)):
                handle(entry.event)


def test_what_is_typed_anew_after_looking_is_shown_anew_and_not_done(sign_in, trade: Trade) -> None:
    operator, order = sign_in("operator"), trade.delivered(units=3)
    key = str(operator.get(address(order, "return")).context["form"].initial["key"])
    looked = operator.post(address(order, "return"), {"units_1": "1", "reason": "Torn.", "key": key})

    answer = operator.post(
        address(order, "return"), {"units_1": "3", "reason": "Torn.", "key": key, "seen": looked.context["seen"]}
    )

    assert answer.status_code == 200
    assert answer.context["preview"][0].startswith("37.50 GBP goes back")
    assert answer.context["preview"][2] == "Nothing more can come back: the order ends as returned."
    assert taken_back(trade.again(order)) == []


def test_what_somebody_else_took_back_meanwhile_is_not_taken_back_again(sign_in, trade: Trade) -> None:
    operator, order = sign_in("operator"), trade.delivered(units=2)
    key = str(operator.get(address(order, "return")).context["form"].initial["key"])
    form = {"units_1": "2", "reason": "Torn.", "key": key}
    looked = operator.post(address(order, "return"), form)
    sku = order.lines[0].sku
    SERVICE.take_back(order_id=order.id, return_id=uuid4(), units={sku: 1}, reason="Torn.")

    answer = operator.post(address(order, "return"), {**form, "seen": looked.context["seen"]})

    assert answer.status_code == 422, "there is only one left, and the form says so"
    assert taken_back(trade.again(order)) == [({sku: 1}, "12.50 GBP")]
    assert AuditEntry.objects.using("orders").count() == 0


def test_what_was_given_back_by_hand_before_is_said_and_stops_the_refund(sign_in, trade: Trade) -> None:
    operator, order = sign_in("operator"), trade.delivered(units=2)
    payment, twenty = trade.payment(order), Money.parse("20.00", "GBP")
    refund = PAYMENTS.refund_payment(payment_id=payment.id, key="1", amount=twenty, reason="Late.")
    with transaction.atomic(using="orders"):
        SERVICE.refund_booked(order_id=order.id, refund_id=refund.id, amount=twenty)
    key = str(operator.get(address(order, "return")).context["form"].initial["key"])

    looked = operator.post(address(order, "return"), {"units_1": "1", "reason": "Torn.", "key": key})
    operator.act(address(order, "return"), units_1="1", reason="Torn.")

    assert looked.context["preview"][0] == (
        "Of what was paid 5.00 GBP is left: giving back 12.50 GBP stops there, and needs a decision at Processes."
    )
    (run,) = SagaRun.objects.using("orders").filter(definition="orders.return_order")
    assert run.state == SagaRun.NEEDS_ATTENTION
    (drawn,) = [p for p in operator.get(address(order)).context["panels"] if isinstance(p, Timeline)]
    assert drawn.rows[-1].moment.words.startswith("Needs attention since ")
    assert drawn.rows[-1].moment.address.endswith(f"/{run.id}/change/")


@pytest.mark.parametrize(
    ("units", "field"), [("0", "__all__"), ("", "units_1"), ("3", "units_1"), ("-1", "units_1"), ("1.5", "units_1")]
)
def test_a_return_of_nothing_or_of_more_than_there_is_is_shown_again(
    units: str, field: str, sign_in, trade: Trade
) -> None:
    operator, order = sign_in("operator"), trade.delivered(units=2)

    answer = operator.act(address(order, "return"), units_1=units, reason="Torn.")

    assert (answer.status_code, set(answer.context["form"].errors)) == (422, {field})
    assert taken_back(trade.again(order)) == []


def test_the_last_unit_ends_the_order_and_a_line_that_is_back_is_no_longer_asked_for(sign_in, trade: Trade) -> None:
    operator, order = sign_in("operator"), trade.delivered(units=1)

    operator.act(address(order, "return"), units_1="1", reason="Torn.")

    assert trade.again(order).status == "returned"
    assert operator.get(address(order)).context["offered"] == []
    (entry,) = AuditEntry.objects.using("orders")
    assert (entry.action, entry.reason, entry.after["units left to return"]) == ("orders.return", "Torn.", 0)


def test_each_product_of_an_order_keeps_its_own_field(sign_in, trade: Trade) -> None:
    operator, skus = sign_in("operator"), [trade.product(), trade.product()]
    lines = tuple(WantedLine(sku=sku, quantity=1) for sku in skus)
    wish = Wish(placed_by=trade.customer, user_id=trade.customer, lines=lines, payment_method=GOOD_CARD, note="")
    order = SERVICE.place(wish, key=str(uuid4()), fingerprint="").order
    SERVICE.ship(order_id=order.id, carrier="Royal Mail", tracking_number="RM1")
    SERVICE.deliver(order_id=order.id)
    assert fields(operator, order) == ["key", "units_1", "units_2", "reason"]

    operator.act(address(order, "return"), units_1="1", units_2="0", reason="Torn.")
    assert fields(operator, order) == ["key", "units_2", "reason"]
    operator.act(address(order, "return"), units_2="1", reason="Torn as well.")

    assert taken_back(trade.again(order)) == [({skus[0]: 1}, "12.50 GBP"), ({skus[1]: 1}, "12.50 GBP")]
    assert trade.again(order).status == "returned"


def fields(operator: Client, order: Order) -> list[str]:
    return list(operator.get(address(order, "return")).context["form"].fields)
