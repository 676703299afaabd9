"""Orders at the console: what an order allows depends on where it stands, and its page tells its story."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client

from apps.orders.models import Order
from apps.orders.service import SERVICE
from runtime.audit.models import AuditEntry
from tests.trade import Trade

pytestmark = pytest.mark.django_db


def address(order: Order, page: str = "change") -> str:
    return f"/admin/orders/order/{order.id}/{page}/"


def offered(operator: Client, order: Order) -> set[str]:
    return {offer["action"].name for offer in operator.get(address(order)).context["offered"]}


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        ("pending", {"cancel"}),
        ("confirmed", {"ship", "cancel"}),
        ("shipped", {"deliver"}),
        ("delivered", {"return"}),
        ("cancelled", set()),
        ("returned", set()),
    ],
)
def test_what_an_order_allows_depends_on_its_status(status: str, actions: set[str], sign_in, trade: Trade) -> None:
    order = trade.order()
    Order.objects.using("orders").filter(pk=order.id).update(status=status)

    assert offered(sign_in("operator"), order) == actions


def test_an_action_that_has_become_impossible_leads_back_with_a_word(sign_in, trade: Trade) -> None:
    operator, order = sign_in("operator"), trade.shipped()

    answer = operator.get(address(order, "ship"), follow=True)

    assert answer.redirect_chain == [(address(order), 302)]
    assert "can no longer be done" in answer.content.decode()


def test_an_order_that_was_shipped_meanwhile_is_not_cancelled(sign_in, trade: Trade) -> None:
    operator, order = sign_in("support"), trade.order()
    key = operator.get(address(order, "cancel")).context["form"].initial["key"]
    SERVICE.ship(order_id=order.id, carrier="Royal Mail", tracking_number="RM1")

    answer = operator.post(address(order, "cancel"), {"reason": "By mistake.", "key": str(key)})

    assert answer.status_code == 409
    assert "can no longer be cancelled" in answer.content.decode()
    assert trade.again(order).status == "shipped"
    assert AuditEntry.objects.using("orders").count() == 0


def test_a_cancelled_orders_money_and_stock_go_back(sign_in, trade: Trade) -> None:
    order = trade.order(units=4, sku=(sku := trade.product(stock=10)))

    sign_in("support").act(address(order, "cancel"), reason="By mistake.")

    assert (trade.stock(sku).reserved, trade.stock(sku).on_hand) == (0, 10)
    assert trade.payment(order).status == "refunded"


def test_an_orders_page_tells_its_story(sign_in, trade: Trade) -> None:
    operator, order = sign_in("support"), trade.shipped()

    page = operator.get(address(order)).content.decode()

    for words in ("OrderCreated", "OrderConfirmed", "OrderShipped", "Royal Mail", "validate_user", "process_payment"):
        assert words in page
    assert "Ring twice." in page
    assert page.count('<details class="console-panel">') == 3, "traces, stream and the one process are folded"
    assert order.lines[0].sku in page
    for elsewhere in ("payments/payment", "inventory/reservation", "orders/outboxmessage", "orders/auditentry"):
        assert f"/admin/{elsewhere}/?q={order.id}" in page
    assert f"/admin/users/user/?q={order.user_id}" in page


def test_orders_are_found_by_number_customer_and_sku(sign_in, trade: Trade) -> None:
    operator, sku = sign_in("support"), trade.product()
    order, other = trade.order(sku=sku), trade.order()

    def found(words: str) -> set:
        return {row.id for row in operator.get("/admin/orders/order/", {"q": words}).context["cl"].result_list}

    assert found(str(order.id)) == found(f"  {order.id} ") == {order.id}
    assert found(sku) == {order.id}
    assert found(str(trade.customer)) == {order.id, other.id}
    assert found(sku[:4]) == found(str(uuid4())) == set()


def test_what_people_wrote_is_shown_as_they_wrote_it(sign_in, trade: Trade) -> None:
    operator, order = sign_in("support"), trade.order()

    operator.act(address(order, "cancel"), reason="<script>alert('x')</script>")

    page = operator.get(address(order)).content.decode()
    assert "<script>alert('x')" not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)" in page
