"""What happens to an order after it was delivered, and what it was before."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

pytestmark = pytest.mark.xdist_group("shop")


def _delivered(shop: Any, token: str, lines: Any) -> str:
    order_id = str(shop.place(token, lines).body["id"])
    ship = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
    assert shop.send("POST", f"/api/orders/{order_id}/ship", ship, token=shop.operator).status == 200
    assert shop.send("POST", f"/api/orders/{order_id}/deliver", token=shop.operator).status == 200
    return order_id


def _return(shop: Any, order_id: str, units: dict[str, int], *, key: str = "", token: str = "") -> Any:
    body = {"items": [{"sku": sku, "quantity": n} for sku, n in units.items()], "reason": "does not fit"}
    path = f"/api/orders/{order_id}/return"
    return shop.send("POST", path, body, token=token or shop.operator, idempotency_key=key or str(uuid4()))


def _refunds(shop: Any, order_id: str) -> list[str]:
    return [refund["amount"]["amount"] for p in shop.payments(order_id) for refund in p["refunds"] if refund["done"]]


def test_a_partial_return_is_refunded_and_restocked_once_and_a_whole_one_ends_the_order(shop: Any) -> None:
    one, other, token = shop.product(stock=5, price="10.00"), shop.product(stock=5, price="2.50"), shop.customer()
    order_id = _delivered(shop, token, {one: 2, other: 1})
    key = str(uuid4())
    answers = shop.together(*[partial(_return, shop, order_id, {one: 1}, key=key)] * 3)
    assert {a.status for a in answers} <= {200, 409}
    first = _return(shop, order_id, {one: 1}, key=key)
    assert (first.status, first.body["status"], len(first.body["returns"])) == (200, "delivered", 1)
    shop.wait_until(lambda: _refunds(shop, order_id) == ["10.00"], limit=20)
    shop.wait_until(lambda: shop.stock(one) == {"onHand": 4, "reserved": 0, "available": 4, "sold": 2}, limit=20)
    too_many = _return(shop, order_id, {one: 2})
    assert (too_many.status, too_many.body["code"], too_many.body["skus"]) == (409, "not_returnable", [one])
    rest = _return(shop, order_id, {one: 1, other: 1})
    assert (rest.status, rest.body["status"]) == (200, "returned")
    assert [r["refund"]["amount"] for r in rest.body["returns"]] == ["10.00", "12.50"]
    shop.wait_until(lambda: _refunds(shop, order_id) == ["10.00", "12.50"], limit=20)
    assert _return(shop, order_id, {one: 1}).status == 409


def test_only_an_operator_takes_goods_back_and_only_after_delivery(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    order_id = shop.place(token, {sku: 1}).body["id"]
    assert _return(shop, order_id, {sku: 1}, token=token).status == 403
    assert (_return(shop, order_id, {sku: 1}).status, _return(shop, str(uuid4()), {sku: 1}).status) == (409, 404)


def test_a_product_at_two_prices_comes_back_at_the_first_lines_price_first(shop: Any) -> None:
    sku = shop.product(stock=5, price="10.00")
    lines = [
        {"sku": sku, "quantity": 1, "unitPrice": {"amount": "9.00", "currency": "GBP"}},
        {"sku": sku, "quantity": 2, "unitPrice": {"amount": "7.00", "currency": "GBP"}},
    ]
    order_id = _delivered(shop, shop.operator, lines)
    answer = _return(shop, order_id, {sku: 2})
    assert answer.body["returns"][0]["refund"]["amount"] == "16.00"


def test_a_refund_in_part_leaves_the_rest_and_more_than_that_is_refused(shop: Any) -> None:
    sku, token = shop.product(stock=5, price="10.00"), shop.customer()
    order_id = shop.place(token, {sku: 1}).body["id"]
    (payment,) = shop.payments(order_id)
    path, key = f"/api/payments/{payment['id']}/refunds", str(uuid4())

    def refund(amount: str, key: str, token: str = shop.operator) -> Any:
        body = {"amount": {"amount": amount, "currency": "GBP"}, "reason": "a scratch"}
        return shop.send("POST", path, body, token=token, idempotency_key=key)

    assert refund("4.00", key, token).status == 403
    first, again = refund("4.00", key), refund("4.00", key)
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert (first.body["amount"]["amount"], first.body["done"]) == ("4.00", True)
    too_much = refund("6.01", str(uuid4()))
    assert (too_much.status, too_much.body["code"]) == (409, "refund_too_large")
    assert too_much.body["left"] == {"amount": "6.00", "currency": "GBP"}
    at_once = shop.together(*[lambda: refund("6.00", str(uuid4()))] * 4)
    assert sorted(a.status for a in at_once) == [201, 409, 409, 409]
    assert _refunds(shop, order_id) == ["4.00", "6.00"]
    assert shop.order(order_id)["status"] == "confirmed"
    assert refund("0.00", str(uuid4())).status == 400


def test_an_order_is_shown_as_it_was_by_version_and_by_time(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    order_id = _delivered(shop, token, {sku: 1})
    path = f"/api/orders/{order_id}"
    events = shop.send("GET", f"{path}/events", token=token).body["items"]
    seen = [shop.send("GET", f"{path}?version={n}", token=token).body["status"] for n in (1, 2, 3, 4)]
    assert seen == ["pending", "confirmed", "shipped", "delivered"]
    assert shop.send("GET", f"{path}?version=5", token=token).status == 404
    for n, status in enumerate(seen):
        then = shop.send("GET", f"{path}?asOf={quote(events[n]['timestamp'])}", token=token)
        assert (then.status, then.body["status"], then.body["version"]) == (200, status, n + 1)
    assert shop.send("GET", f"{path}?asOf=2020-01-01T00:00:00Z", token=token).status == 404
    for bad in ("version=0", "version=x", "version=-1", "version=1&asOf=2030-01-01T00:00:00Z", "asOf=2030-01-01"):
        assert shop.send("GET", f"{path}?{bad}", token=token).status == 400
    assert shop.send("GET", f"{path}?version=1", token=shop.customer()).status == 404


def test_the_timeline_tells_of_every_domain_in_order_of_time(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    trace_id = uuid4().hex
    placed = shop.place(token, {sku: 1}, traceparent=f"00-{trace_id}-00f067aa0ba902b7-01")
    path = f"/api/orders/{placed.body['id']}/timeline"
    assert (shop.send("GET", path, token=token).status, shop.send("GET", path).status) == (403, 401)
    items = shop.send("GET", path, token=shop.operator).body["items"]
    kinds = {item["kind"] for item in items}
    assert {
        "event.OrderCreated",
        "saga.place_order.validate_user",
        "saga.place_order.reserve_inventory",
        "stock.reserve",
        "saga.place_order.process_payment",
        "payment.charge",
        "payment.capture",
        "saga.place_order.confirm_order",
        "event.OrderConfirmed",
    } <= kinds
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)
    assert {item["source"] for item in items} == {"orders", "payments", "inventory"}
    # One request did it all.
    assert {item["traceId"] for item in items} == {trace_id}


def test_the_timeline_tells_of_each_try_and_whoever_goes_on_belongs_to_the_first_ones_trace(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    trace_id = uuid4().hex
    traceparent = f"00-{trace_id}-00f067aa0ba902b7-01"
    order_id = shop.place(token, {sku: 1}, method="pm_card_async", traceparent=traceparent).body["id"]
    shop.await_status(order_id, "confirmed")

    items = shop.send("GET", f"/api/orders/{order_id}/timeline", token=shop.operator).body["items"]

    steps = [item for item in items if item["kind"].startswith("saga.")]
    paying = [item["detail"] for item in steps if item["kind"] == "saga.place_order.process_payment"]
    assert paying[0].startswith("do waiting")
    assert paying[-1] == "do succeeded"
    assert steps[-1]["kind"] == "saga.place_order.confirm_order"
    assert {item["traceId"] for item in steps} == {trace_id}
    charged, *_, taken = [item for item in items if item["source"] == "payments"]
    assert (charged["kind"], charged["detail"], charged["traceId"]) == ("payment.charge", "pending", trace_id)
    assert taken["kind"] == "payment.capture"


def test_rebuilding_changes_nothing_and_puts_a_strayed_row_right(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    order_id = shop.place(token, {sku: 1}).body["id"]
    clean = shop.manage("rebuild_projections")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    hashes = [line.split()[-1] for line in clean.stdout.splitlines() if line.startswith("hash")]
    assert hashes[0] == hashes[1]
    shop.sql("orders", "UPDATE orders_order SET status = 'shipped' WHERE id = %s RETURNING 1", order_id)
    strayed = shop.manage("rebuild_projections")
    assert strayed.returncode == 1
    assert shop.order(order_id)["status"] == "confirmed"


def test_a_product_that_runs_low_is_told_of_once(shop: Any) -> None:
    sku, token = shop.product(stock=8), shop.customer()
    for _ in range(4):
        shop.place(token, {sku: 1})
    rows = shop.sql(
        "inventory", "SELECT data FROM messaging_outboxmessage WHERE event_type = 'InventoryLow' AND subject = %s", sku
    )
    assert rows == [({"sku": sku, "available": 5},)]


def test_search_finds_words_by_their_beginnings_in_name_and_sku(shop: Any) -> None:
    def found(words: str) -> list[str]:
        answer = shop.send("GET", f"/api/inventory/products?search={quote(words)}")
        assert answer.status == 200
        return [item["sku"] for item in answer.body["items"]]

    assert found("earl") == ["TEA-EARL-GREY"]
    assert found("TEA sen") == ["TEA-SENCHA"]
    assert found("gra earl") == []
    assert found("stoneware mug") == ["MUG-STONE"]
    assert found("& sench | ! :* ' \\") == ["TEA-SENCHA"]
    # Of signs alone nothing is left to look for: everything is found, by pages.
    assert found("& | ! :* ' \\") == found("")
