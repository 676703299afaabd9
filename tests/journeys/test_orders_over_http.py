"""Orders as a customer meets them, over HTTP, with every process running."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

import pytest

from runtime.embedded.state import secrets

pytestmark = pytest.mark.xdist_group("shop")


def test_a_good_order_is_confirmed_paid_once_and_holds_its_stock(shop: Any) -> None:
    sku, token = shop.product(stock=5, price="12.50"), shop.customer()
    answer = shop.place(token, {sku: 2})
    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/orders/{answer.body['id']}"
    assert answer.body["status"] == "confirmed"
    assert answer.body["totalAmount"] == {"amount": "25.00", "currency": "GBP"}
    assert "reason" not in answer.body
    assert [(p["status"], p["amount"]["amount"], p["refunds"]) for p in shop.payments(answer.body["id"])] == [
        ("captured", "25.00", [])
    ]
    assert shop.stock(sku) == {"onHand": 5, "reserved": 2, "available": 3, "sold": 0}


@pytest.mark.parametrize(
    ("method", "code"),
    [("pm_card_declined", "payment_declined"), ("pm_card_insufficient_funds", "insufficient_funds")],
)
def test_a_declined_order_exists_cancelled_and_gives_its_stock_back(shop: Any, method: str, code: str) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    answer = shop.place(token, {sku: 2}, method=method)
    assert (answer.status, answer.body["code"]) == (402, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    order = shop.order(answer.body["orderId"])
    assert (order["status"], order["reason"]) == ("cancelled", code)
    assert [p["status"] for p in shop.payments(order["id"])] == ["failed"]
    assert shop.stock(sku) == {"onHand": 5, "reserved": 0, "available": 5, "sold": 0}


def test_an_order_beyond_the_stock_is_refused_with_its_skus_and_takes_no_money(shop: Any) -> None:
    plenty, scarce, token = shop.product(stock=50), shop.product(stock=1), shop.customer()
    answer = shop.place(token, {plenty: 1, scarce: 2})
    assert (answer.status, answer.body["code"], answer.body["skus"]) == (409, "out_of_stock", [scarce])
    assert shop.order(answer.body["orderId"])["status"] == "cancelled"
    assert [p["status"] for p in shop.payments(answer.body["orderId"])] in ([], ["voided"])
    assert shop.stock(plenty)["reserved"] == 0


def test_the_same_product_in_two_lines_is_summed_for_the_stock_and_kept_apart_in_the_order(shop: Any) -> None:
    sku, token = shop.product(stock=3), shop.customer()
    lines = [{"sku": sku, "quantity": 2}, {"sku": sku, "quantity": 1}]
    answer = shop.place(token, lines)
    assert (answer.status, [line["quantity"] for line in answer.body["items"]]) == (201, [2, 1])
    assert shop.stock(sku)["reserved"] == 3
    assert shop.place(token, lines).status == 409


def test_a_payment_that_settles_later_confirms_the_order_within_ten_seconds(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    answer = shop.place(token, {sku: 1}, method="pm_card_async")
    assert (answer.status, answer.body["status"]) == (202, "pending")
    assert shop.await_status(answer.body["id"], "confirmed", "cancelled", limit=10)["status"] == "confirmed"
    assert [p["status"] for p in shop.payments(answer.body["id"])] == ["captured"]


def test_a_payment_that_fails_later_cancels_the_order(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    answer = shop.place(token, {sku: 1}, method="pm_card_async_fail")
    assert answer.status == 202
    order = shop.await_status(answer.body["id"], "confirmed", "cancelled", limit=10)
    assert (order["status"], order["reason"]) == ("cancelled", "payment_failed")
    assert shop.stock(sku)["reserved"] == 0


def test_a_provider_that_never_answers_is_inquired_of_and_has_captured_once(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    answer = shop.place(token, {sku: 1}, method="pm_card_timeout")
    assert answer.status == 202
    shop.await_status(answer.body["id"], "confirmed", limit=30)
    (charged,) = shop.sql(
        "payments", "SELECT count(*) FROM payments_sandboxcharge WHERE key LIKE %s", answer.body["id"] + "%"
    )
    assert charged == (1,)
    assert [p["status"] for p in shop.payments(answer.body["id"])] == ["captured"]


def test_who_prefers_not_to_wait_gets_202_at_once_and_a_confirmed_order_soon(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    answer = shop.place(token, {sku: 1}, prefer="respond-async")
    assert (answer.status, answer.body["status"]) == (202, "pending")
    shop.await_status(answer.body["id"], "confirmed", limit=20)


def test_cancelling_a_confirmed_order_gives_money_and_stock_back_once(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    order_id = shop.place(token, {sku: 2}).body["id"]
    cancel = f"/api/orders/{order_id}/cancel"
    answers = shop.together(*[lambda: shop.send("POST", cancel, {"reason": "changed my mind"}, token=token)] * 4)
    assert [(a.status, a.body["status"], a.body["reason"]) for a in answers] == [(200, "cancelled", "cancelled")] * 4
    shop_payment = shop.payments
    from_payments: list[Any] = []

    def refunded() -> bool:
        from_payments[:] = shop_payment(order_id)
        return bool(from_payments[0]["refunds"])

    _await(refunded)
    assert [(p["status"], [r["amount"]["amount"] for r in p["refunds"]]) for p in from_payments] == [
        ("refunded", ["20.00"])
    ]
    _await(lambda: shop.stock(sku)["reserved"] == 0)


def test_cancelling_while_the_payment_settles_ends_cancelled_with_net_zero(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    order_id = shop.place(token, {sku: 1}, method="pm_card_async").body["id"]
    assert (
        shop.send("POST", f"/api/orders/{order_id}/cancel", {"reason": "no"}, token=token).body["status"] == "cancelled"
    )
    _await(lambda: shop.payments(order_id)[0]["status"] in ("voided", "refunded"), limit=20)
    _await(lambda: shop.stock(sku)["reserved"] == 0)
    assert shop.order(order_id)["status"] == "cancelled"


def test_shipping_sells_what_was_held_and_ends_the_right_to_cancel(shop: Any) -> None:
    sku, token = shop.product(stock=5), shop.customer()
    order_id = shop.place(token, {sku: 2}).body["id"]
    ship = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
    path = f"/api/orders/{order_id}"
    assert shop.send("POST", f"{path}/deliver", token=shop.operator).status == 409
    assert shop.send("POST", f"{path}/ship", ship, token=token).status == 403
    assert shop.send("POST", f"{path}/ship", ship, token=shop.operator).body["status"] == "shipped"
    _await(lambda: shop.stock(sku) == {"onHand": 3, "reserved": 0, "available": 3, "sold": 2})
    assert shop.send("POST", f"{path}/cancel", {"reason": "too late"}, token=token).status == 409
    assert shop.send("POST", f"{path}/ship", ship, token=shop.operator).status == 409
    assert shop.send("POST", f"{path}/deliver", token=shop.operator).body["status"] == "delivered"
    events = shop.send("GET", f"{path}/events", token=token).body["items"]
    assert [(e["version"], e["eventType"]) for e in events] == [
        (1, "OrderCreated"),
        (2, "OrderConfirmed"),
        (3, "OrderShipped"),
        (4, "OrderDelivered"),
    ]


def test_an_operator_orders_for_somebody_at_an_agreed_price_and_a_customer_may_not(shop: Any) -> None:
    sku, token = shop.product(stock=5, price="10.00"), shop.customer()
    me = shop.send("GET", "/api/users/me", token=token).body["id"]
    body = {
        "items": [{"sku": sku, "quantity": 1, "unitPrice": {"amount": "7.5", "currency": "GBP"}}],
        "paymentMethod": "pm_card_visa",
        "onBehalfOf": me,
    }
    refused = shop.send("POST", "/api/orders", body, token=token, idempotency_key="mine")
    assert (refused.status, refused.body["code"]) == (403, "permission_denied")
    placed = shop.send("POST", "/api/orders", body, token=shop.operator, idempotency_key=str(uuid4()))
    assert (placed.status, placed.body["userId"], placed.body["totalAmount"]["amount"]) == (201, me, "7.50")
    assert [o["id"] for o in shop.send("GET", "/api/orders", token=token).body["items"]] == [placed.body["id"]]


def test_a_forged_old_or_foreign_webhook_is_refused_and_the_right_one_may_come_twice(shop: Any) -> None:
    secret = secrets(shop.folder)["SANDBOX_WEBHOOK_SECRET"].encode()
    body = json.dumps({"id": str(uuid4()), "key": "nothing:charge"}).encode()

    def send(at: float, key: bytes = secret) -> int:
        signed = hmac.new(key, f"{at:.0f}.".encode() + body, hashlib.sha256).hexdigest()
        header = f"t={at:.0f},v1={signed}"
        answer = shop.send("POST", "/api/payments/webhooks/sandbox", raw=body, x_sandbox_signature=header)
        return int(answer.status)

    now = time.time()
    assert (send(now), send(now)) == (204, 204)
    assert (send(now - 400), send(now + 400), send(now, b"guess")) == (400, 400, 400)
    assert shop.send("POST", "/api/payments/webhooks/sandbox", raw=body).status == 400
    assert shop.send("POST", "/api/payments/webhooks/acme", raw=body).status == 404


def _await(condition: Any, limit: float = 20) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"still not so after {limit} s"
        time.sleep(0.05)
