"""Many at once: nothing is sold twice, nobody is charged twice, nothing locks up."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

pytestmark = pytest.mark.xdist_group("shop")


def test_fifty_buyers_of_ten_units_make_exactly_ten_orders_and_forty_refusals(shop: Any) -> None:
    sku, token = shop.product(stock=10), shop.customer()
    answers = shop.together(*[partial(shop.place, token, {sku: 1})] * 50)
    # 202 is a busy moment's answer: the order goes on by itself and ends as the others do.
    ended = [
        shop.await_status(a.body.get("orderId") or a.body["id"], "confirmed", "cancelled")["status"] for a in answers
    ]
    assert Counter(ended) == {"confirmed": 10, "cancelled": 40}
    assert {a.status for a in answers} <= {201, 202, 409}
    assert {a.body["code"] for a in answers if a.status == 409} == {"out_of_stock"}
    assert shop.stock(sku) == {"onHand": 10, "reserved": 10, "available": 0, "sold": 0}


def test_two_hundred_carts_with_two_skus_in_opposite_order_never_deadlock(shop: Any) -> None:
    one, other, token = shop.product(stock=500), shop.product(stock=500), shop.customer()
    before = _deadlocks(shop)
    carts = [{one: 1, other: 1} if number % 2 else {other: 1, one: 1} for number in range(200)]
    answers: list[Any] = []
    for start in range(0, 200, 40):
        answers += shop.together(*[partial(shop.place, token, cart) for cart in carts[start : start + 40]])
    assert {a.status for a in answers} <= {201, 202}
    for answer in answers:
        shop.await_status(answer.body["id"], "confirmed")
    assert (shop.stock(one)["reserved"], shop.stock(other)["reserved"]) == (200, 200)
    assert _deadlocks(shop) == before


def test_five_posts_at_once_with_one_key_are_one_order_and_one_charge(shop: Any) -> None:
    sku, token, key = shop.product(stock=10), shop.customer(), str(uuid4())
    answers = shop.together(*[partial(shop.place, token, {sku: 1}, key=key)] * 5)
    orders = {a.body["id"] for a in answers if a.status in (201, 202)}
    assert len(orders) == 1
    assert {a.status for a in answers} <= {201, 202, 409}
    assert {a.body["code"] for a in answers if a.status == 409} <= {"idempotency_in_progress"}
    (order_id,) = orders
    shop.await_status(order_id, "confirmed")
    assert shop.stock(sku)["reserved"] == 1
    assert len(shop.payments(order_id)) == 1
    again = shop.place(token, {sku: 1}, key=key)
    assert (again.status, again.body["id"], again.headers["Idempotency-Replayed"]) == (201, order_id, "true")


def test_a_refusal_is_repeated_for_its_key_and_another_body_is_a_422(shop: Any) -> None:
    sku, token, key = shop.product(stock=1), shop.customer(), str(uuid4())
    first = shop.place(token, {sku: 2}, key=key)
    again = shop.place(token, {sku: 2}, key=key)
    assert (first.status, again.status) == (409, 409)
    assert again.body == first.body
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    other = shop.place(token, {sku: 1}, key=key)
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")


def test_another_customers_key_of_the_same_text_is_another_key(shop: Any) -> None:
    sku, key = shop.product(stock=10), "a key that two people chose"
    one, other = shop.place(shop.customer(), {sku: 1}, key=key.replace(" ", "-")), None
    other = shop.place(shop.customer(), {sku: 1}, key=key.replace(" ", "-"))
    assert (one.status, other.status) == (201, 201)
    assert one.body["id"] != other.body["id"]


def test_a_cancel_that_races_the_placing_leaves_money_and_stock_whole(shop: Any) -> None:
    sku, token = shop.product(stock=100), shop.customer()
    placed = [shop.place(token, {sku: 1}, prefer="respond-async").body["id"] for _ in range(10)]
    cancel = [
        partial(shop.send, "POST", f"/api/orders/{order_id}/cancel", {"reason": "race"}, token=token)
        for order_id in placed
    ]
    assert {answer.status for answer in shop.together(*cancel)} == {200}
    for order_id in placed:
        assert shop.await_status(order_id, "cancelled")["status"] == "cancelled"
    shop.wait_until(lambda: shop.stock(sku)["reserved"] == 0, limit=60)
    for order_id in placed:
        shop.wait_until(lambda order_id=order_id: all(_nets_zero(p) for p in shop.payments(order_id)), limit=60)


def _nets_zero(payment: Any) -> bool:
    return payment["status"] in ("voided", "refunded", "failed")


def _deadlocks(shop: Any) -> int:
    ((count,),) = shop.sql("inventory", "SELECT sum(deadlocks) FROM pg_stat_database")
    return int(count)
