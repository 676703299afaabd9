"""Every address of inventory and payments, with its answers, the unhappy ones too."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

pytestmark = pytest.mark.xdist_group("shop")

PRICE = {"amount": "3.5", "currency": "GBP"}


def _add(shop: Any, sku: str, **changes: Any) -> Any:
    body = {"sku": sku, "name": "A thing", "price": PRICE, **changes}
    return shop.send("POST", "/api/inventory/products", body, token=shop.operator)


def test_a_product_is_added_once_changed_and_shown(shop: Any) -> None:
    sku = f"R-{uuid4().hex[:8]}"
    added = _add(shop, sku, description="of wood")
    assert (added.status, added.body) == (
        201,
        {
            "sku": sku,
            "name": "A thing",
            "description": "of wood",
            "price": {"amount": "3.50", "currency": "GBP"},
            "active": True,
        },
    )
    again = _add(shop, sku)
    assert (again.status, again.body["code"]) == (409, "sku_taken")
    path = f"/api/inventory/products/{sku}"
    assert shop.send("GET", path).body == added.body
    changed = shop.send("PATCH", path, {"name": "Another", "active": False}, token=shop.operator)
    assert (changed.status, changed.body["name"], changed.body["active"]) == (200, "Another", False)
    assert shop.send("GET", f"/api/inventory/products?search={sku}").body["items"] == []
    refused = shop.place(shop.customer(), {sku: 1})
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/items/0/sku")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"price": {"amount": "0", "currency": "GBP"}}, "/price/amount"),
        ({"price": {"amount": "1", "currency": "EUR"}}, "/price/currency"),
        ({"sku": "a b"}, "/sku"),
        ({"sku": "x" * 65}, "/sku"),
        ({"name": ""}, "/name"),
        ({"active": "yes"}, "/active"),
        ({"cost": 1}, "/cost"),
    ],
)
def test_a_bad_product_is_a_problem_that_names_the_field(shop: Any, changes: Any, pointer: str) -> None:
    answer = _add(shop, **{"sku": f"R-{uuid4().hex[:8]}", **changes})
    assert answer.status == 400
    assert pointer in [error["pointer"] for error in answer.body["errors"]]


def test_only_keepers_change_the_catalogue_and_the_shelf(shop: Any) -> None:
    sku, customer = shop.product(stock=1), shop.customer()
    path = f"/api/inventory/products/{sku}"
    for method, address, body in (
        ("POST", "/api/inventory/products", {"sku": "X", "name": "X", "price": PRICE}),
        ("PATCH", path, {"name": "X"}),
        ("POST", f"{path}/restock", {"quantity": 1, "reason": "x"}),
        ("POST", f"{path}/adjust", {"quantity": 1, "reason": "x"}),
    ):
        headers = {"idempotency_key": str(uuid4())}
        assert shop.send(method, address, body, **headers).status == 401
        assert shop.send(method, address, body, token=customer, **headers).status == 403


def test_stock_is_restocked_and_adjusted_once_for_a_key_and_never_below_what_is_held(shop: Any) -> None:
    sku = shop.product(stock=5)
    path, key = f"/api/inventory/products/{sku}", str(uuid4())
    assert shop.place(shop.customer(), {sku: 3}).status == 201

    def change(what: str, quantity: int, key: str) -> Any:
        body = {"quantity": quantity, "reason": "counted"}
        return shop.send("POST", f"{path}/{what}", body, token=shop.operator, idempotency_key=key)

    first, again = change("adjust", -2, key), change("adjust", -2, key)
    assert (first.status, again.body, again.headers["Idempotency-Replayed"]) == (200, first.body, "true")
    assert first.body == {"sku": sku, "onHand": 3, "reserved": 3, "available": 0, "sold": 0}
    below = change("adjust", -1, str(uuid4()))
    assert (below.status, below.body["code"]) == (409, "below_reserved")
    assert (change("adjust", -1, key).status, change("restock", 0, str(uuid4())).status) == (422, 400)
    assert change("restock", 4, str(uuid4())).body["available"] == 4
    assert change("restock", 1, "").status == 400
    missing = "/api/inventory/products/NO-SUCH/restock"
    body = {"quantity": 1, "reason": "x"}
    assert shop.send("POST", missing, body, token=shop.operator, idempotency_key=str(uuid4())).status == 404


def test_stock_shows_everybody_what_is_available_and_its_keepers_the_whole_balance(shop: Any) -> None:
    sku = shop.product(stock=5)
    path = f"/api/inventory/products/{sku}/stock"
    assert shop.send("GET", path).body == {"sku": sku, "available": 5}
    assert shop.send("GET", path, token=shop.customer()).body == {"sku": sku, "available": 5}
    assert shop.send("GET", path, token=shop.operator).body == {
        "sku": sku,
        "onHand": 5,
        "reserved": 0,
        "available": 5,
        "sold": 0,
    }
    assert shop.send("GET", "/api/inventory/products/NO-SUCH/stock").status == 404
    assert shop.send("GET", "/api/inventory/products/NO-SUCH").status == 404


def test_pages_of_products_lead_through_all_of_them_and_back(shop: Any) -> None:
    mark = f"word{uuid4().hex[:8]}"
    skus = sorted(f"P-{uuid4().hex[:10]}" for _ in range(5))
    for sku in skus:
        assert _add(shop, sku, name=f"{mark} thing").status == 201
    path, seen = f"/api/inventory/products?search={mark}&limit=2", []
    while path:
        page = shop.send("GET", path).body
        seen += [item["sku"] for item in page["items"]]
        path, back = page["next"], page["previous"]
    assert seen == skus
    assert [item["sku"] for item in shop.send("GET", back).body["items"]] == skus[2:4]
    for bad in ("limit=0", "limit=101", "limit=x", "cursor=forged"):
        assert shop.send("GET", f"/api/inventory/products?{bad}").status == 400


def test_payments_are_shown_to_whom_they_belong_and_to_operators(shop: Any) -> None:
    sku, token, other = shop.product(stock=5), shop.customer(), shop.customer()
    order_id = shop.place(token, {sku: 1}).body["id"]
    page = shop.send("GET", f"/api/payments?orderId={order_id}", token=token)
    (payment,) = page.body["items"]
    assert set(payment) == {
        "id",
        "orderId",
        "amount",
        "status",
        "reason",
        "provider",
        "attempts",
        "refunds",
        "createdAt",
    }
    assert (payment["orderId"], payment["status"], payment["provider"]) == (order_id, "captured", "sandbox")
    assert [(a["action"], a["outcome"]) for a in payment["attempts"]] == [("charge", "captured")]
    assert shop.send("GET", f"/api/payments?orderId={order_id}", token=other).body["items"] == []
    path = f"/api/payments/{payment['id']}"
    assert shop.send("GET", path, token=token).body == payment
    assert shop.send("GET", path, token=shop.operator).body == payment
    assert (shop.send("GET", path, token=other).status, shop.send("GET", path).status) == (404, 401)
    assert shop.send("GET", "/api/payments?orderId=x", token=token).status == 400
    assert shop.send("GET", "/api/payments?orderId=", token=token).status == 400
    assert shop.send("GET", f"/api/payments/{uuid4()}", token=shop.operator).status == 404


def test_orders_are_listed_by_status_and_shown_to_their_owner_alone(shop: Any) -> None:
    sku, token, other = shop.product(stock=5), shop.customer(), shop.customer()
    good = shop.place(token, {sku: 1}).body["id"]
    bad = shop.place(token, {sku: 1}, method="pm_card_declined").body["orderId"]

    def listed(query: str) -> list[str]:
        return [order["id"] for order in shop.send("GET", f"/api/orders{query}", token=token).body["items"]]

    assert listed("") == [bad, good]
    assert (listed("?status=confirmed"), listed("?status=cancelled"), listed("?status=shipped")) == ([good], [bad], [])
    assert shop.send("GET", "/api/orders?status=lost", token=token).status == 400
    for path in ("", "/events"):
        assert shop.send("GET", f"/api/orders/{good}{path}", token=other).status == 404
        assert shop.send("GET", f"/api/orders/{good}{path}").status == 401
    cancel = shop.send("POST", f"/api/orders/{good}/cancel", {"reason": "not mine"}, token=other)
    assert (cancel.status, shop.order(good)["status"]) == (404, "confirmed")
    assert shop.send("POST", f"/api/orders/{good}/cancel", {}, token=token).status == 400
    for what in ("ship", "deliver"):
        body = {"carrier": "c", "trackingNumber": "t"} if what == "ship" else None
        assert shop.send("POST", f"/api/orders/{uuid4()}/{what}", body, token=shop.operator).status == 404
