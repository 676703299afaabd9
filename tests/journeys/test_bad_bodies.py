"""Whatever is sent, the answer is a clear problem that names the field, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

pytestmark = pytest.mark.xdist_group("shop")

GOOD = {"items": [{"sku": "TEA-SENCHA", "quantity": 1}], "paymentMethod": "pm_card_visa"}


def _with(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def _quantity(text: str) -> bytes:
    return json.dumps(GOOD).replace('"quantity": 1', f'"quantity": {text}').encode()


BAD: dict[str, tuple[bytes, int, str | None]] = {
    "not JSON": (b"{items:", 400, None),
    "empty": (b"", 400, None),
    "a list": (b"[]", 400, None),
    "nested 100,000 deep": (b"[" * 100_000 + b"]" * 100_000, 400, None),
    "nested 100,000 deep in a field": (b'{"items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, None),
    "not UTF-8": (b'{"items": "\xff"}', 400, None),
    "a NUL": (_with(note="a\u0000b"), 400, None),
    "a lone surrogate": (b'{"paymentMethod": "\\ud800"}', 400, None),
    "an unknown field": (_with(coupon="X"), 400, "/coupon"),
    "an unknown field in a line": (_with(items=[{"sku": "A", "quantity": 1, "price": 1}]), 400, "/items/0/price"),
    "no items": (_with(items=[]), 400, "/items"),
    "items of the wrong type": (_with(items={"sku": "A"}), 400, "/items"),
    "a line of the wrong type": (_with(items=["A"]), 400, "/items/0"),
    "a sku that is a number": (_with(items=[{"sku": 1, "quantity": 1}]), 400, "/items/0/sku"),
    "a sku that nobody sells": (_with(items=[{"sku": "NO-SUCH", "quantity": 1}]), 400, "/items/0/sku"),
    "quantity 0": (_quantity("0"), 400, "/items/0/quantity"),
    "quantity -1": (_quantity("-1"), 400, "/items/0/quantity"),
    "quantity 10^12": (_quantity("1000000000000"), 400, "/items/0/quantity"),
    "quantity of 5,000 digits": (_quantity("9" * 5000), 400, None),
    "quantity NaN": (_quantity("NaN"), 400, None),
    "quantity Infinity": (_quantity("Infinity"), 400, None),
    "quantity 1e308": (_quantity("1e308"), 400, "/items/0/quantity"),
    'quantity "1e308"': (_quantity('"1e308"'), 400, "/items/0/quantity"),
    "quantity 1.5": (_quantity("1.5"), 400, "/items/0/quantity"),
    "quantity true": (_quantity("true"), 400, "/items/0/quantity"),
    "quantity null": (_quantity("null"), 400, "/items/0/quantity"),
    "10,000 lines": (_with(items=GOOD["items"] * 10_000), 400, "/items"),
    "a string of 10 MB": (_with(note="x" * 10_000_000), 413, None),
    "a note that is too long": (_with(note="x" * 3000), 400, "/note"),
    "a payment method that is missing": (json.dumps({"items": GOOD["items"]}).encode(), 400, "/paymentMethod"),
    "another currency": (
        _with(items=[{"sku": "TEA-SENCHA", "quantity": 1, "unitPrice": {"amount": "1", "currency": "USD"}}]),
        400,
        "/items/0/unitPrice/currency",
    ),
    "money as a float": (
        _with(items=[{"sku": "TEA-SENCHA", "quantity": 1, "unitPrice": {"amount": 1.5, "currency": "GBP"}}]),
        400,
        "/items/0/unitPrice/amount",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_order_is_a_problem_that_names_the_field_and_stores_nothing(shop: Any, name: str) -> None:
    raw, status, pointer = BAD[name]
    before = shop.sql("orders", "SELECT count(*) FROM orders_order")
    answer = shop.send("POST", "/api/orders", raw=raw, token=shop.operator, idempotency_key=str(uuid4()))
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    if pointer is not None:
        assert pointer in [error["pointer"] for error in answer.body["errors"]]
    assert shop.sql("orders", "SELECT count(*) FROM orders_order") == before


def test_a_key_that_is_missing_or_odd_is_a_400(shop: Any) -> None:
    for headers in ({}, {"idempotency_key": ""}, {"idempotency_key": "x" * 256}, {"idempotency_key": "a b"}):
        answer = shop.send("POST", "/api/orders", GOOD, token=shop.operator, **headers)
        assert (answer.status, answer.body["code"]) == (400, "idempotency_key_missing")


def test_an_order_of_541_lines_is_confirmed(shop: Any) -> None:
    skus = [f"{prefix}" for prefix in ("TEA-SENCHA", "TEA-EARL-GREY", "COFFEE-HOUSE")]
    lines = [{"sku": skus[number % 3], "quantity": 1} for number in range(541)]
    answer = shop.place(shop.customer(), lines)
    assert (answer.status, len(answer.body["items"])) == (201, 541)


def test_an_order_of_541_different_products_is_confirmed_and_shipped(shop: Any) -> None:
    skus = [shop.product(stock=2) for _ in range(541)]
    order_id = shop.place(shop.customer(), dict.fromkeys(skus, 2)).body["id"]
    ship = {"carrier": "Royal Mail", "trackingNumber": "RM541"}
    assert shop.send("POST", f"/api/orders/{order_id}/ship", ship, token=shop.operator).status == 200
    sold = "SELECT count(*) FROM inventory_stock WHERE sku = ANY(%s) AND (on_hand, reserved, sold) = (0, 0, 2)"
    shop.wait_until(lambda: shop.sql("inventory", sold, skus) == [(541,)], limit=30)


def test_a_total_beyond_what_can_be_booked_is_a_problem(shop: Any) -> None:
    sku = shop.product(stock=1, price="9999999999999999.99")
    answer = shop.place(shop.operator, {sku: 1000})
    assert (answer.status, answer.body["code"]) == (409, "total_too_large")
