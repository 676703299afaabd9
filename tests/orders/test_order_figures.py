"""What /metrics says of the shop: orders by status, payments by result, stock that was refused."""

from __future__ import annotations

from tests.growth import Growth

ORDERS, PAYMENTS, REFUSALS = "mitosis_orders_total", "mitosis_payments_total", "mitosis_stock_refusals_total"


def test_an_order_that_is_placed_and_cancelled_is_counted_at_each_status_with_its_money(committed, shop):
    shop.product("A", stock=10)
    grown = Growth()

    order = shop.place(("A", 1)).order
    assert grown.of(ORDERS) == {("pending", ""): 1, ("confirmed", ""): 1}
    assert grown.of(PAYMENTS) == {("captured", ""): 1}
    shop.cancel(order.id)

    assert grown.of(ORDERS) == {("pending", ""): 1, ("confirmed", ""): 1, ("cancelled", "cancelled"): 1}
    assert grown.of(REFUSALS) == {}


def test_what_is_refused_is_counted_with_its_reason(committed, shop):
    shop.product("A", stock=1)
    grown = Growth()
    shop.place(("A", 2))
    assert grown.of(ORDERS) == {("pending", ""): 1, ("cancelled", "out_of_stock"): 1}
    assert grown.of(REFUSALS) == {(): 1}
    assert grown.of(PAYMENTS) == {}

    shop.place(("A", 1), method="pm_card_declined")

    assert grown.of(ORDERS) == {
        ("pending", ""): 2,
        ("cancelled", "out_of_stock"): 1,
        ("cancelled", "payment_declined"): 1,
    }
    assert grown.of(PAYMENTS) == {("failed", "payment_declined"): 1}
    assert grown.of(REFUSALS) == {(): 1}
