"""Orders from their placing to their end, however they end."""

from __future__ import annotations

from typing import Any

from tests.topologies.player import NOBODY, Player
from tests.topologies.scenes_of_goods import money

PARCEL = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def _is(*statuses: str) -> Any:
    return lambda body: body["status"] in statuses


def slow_ones_begin(player: Player) -> list[tuple[str, str]]:
    """Payments that settle later, or are never answered, and an order that nobody waits for; each with its end."""
    ends = []
    for method, end in (
        ("pm_card_timeout", "confirmed"),
        ("pm_card_async", "confirmed"),
        ("pm_card_async_fail", "cancelled"),
    ):
        placed = player.place("ada", ("CX", 1), method=method, key=f"slow-{method}")
        ends.append((placed.body["id"], end))
    later = player.place("ada", ("CX", 1), key="slow-later", prefer="respond-async").body["id"]
    # A worker makes its payment. What is listed by age further down has to be of one age in every grouping.
    player.until("operator", f"/api/payments?orderId={later}", lambda body: _is("captured")(body["items"][0]))
    return [*ends, (later, "confirmed")]


def slow_ones_end(player: Player, slow: list[tuple[str, str]]) -> None:
    settled = {"confirmed": "captured", "cancelled": "failed"}
    for order_id, end in slow:
        player.until("operator", f"/api/orders/{order_id}", _is(end))
        by_order = f"/api/payments?orderId={order_id}"
        player.until("operator", by_order, lambda body, end=end: body["items"][0]["status"] == settled[end])
        player.ask("ada", "GET", f"/api/orders/{order_id}/events")
    player.stock("CX", reserved=3)


def good(player: Player) -> None:
    ask, trace = player.ask, f"00-{'12' * 16}-{'34' * 8}-01"
    order = player.place("ada", ("AX", 2), ("BX", 1), ("AX", 1), key="good", note="Ring twice.", traceparent=trace).body
    path = f"/api/orders/{order['id']}"
    player.place("ada", ("AX", 2), ("BX", 1), ("AX", 1), key="good", note="Ring twice.")
    player.place("ada", ("AX", 3), key="good")
    for who in ("ada", "bob", "operator", "cyd", NOBODY):
        for below in ("", "/events", "/timeline"):
            ask(who, "GET", f"{path}{below}")
    payment = player.payment_of(order["id"], who="ada")
    for who in ("ada", "bob", "cyd", NOBODY):
        ask(who, "GET", f"/api/payments/{payment['id']}")
    ask("cyd", "GET", f"/api/payments?orderId={order['id']}")
    ask("ada", "GET", "/api/payments?orderId=x")
    ask("ada", "GET", f"/api/payments/{UNKNOWN}")
    player.stock("AX", reserved=3)


def refused(player: Player) -> None:
    """What is wrong with the request: nothing is stored, and the key is free."""
    ask, path = player.ask, "/api/orders"
    line = {"sku": "AX", "quantity": 1}
    body = {"items": [line], "paymentMethod": "pm_card_visa"}
    ask("ada", "POST", path, body)
    ask(NOBODY, "POST", path, body, key="bad")
    for wrong in (
        {**body, "items": []},
        {**body, "items": [{**line, "quantity": 0}]},
        {**body, "items": [line, {"sku": "NONE", "quantity": 1}, {"sku": "EX", "quantity": 1}]},
        {**body, "colour": "red"},
        {"items": [line]},
        {**body, "items": [{**line, "quantity": 1_000_000_000}]},
    ):
        ask("ada", "POST", path, wrong, key="bad")
    ask("ada", "POST", path, {**body, "onBehalfOf": UNKNOWN}, key="bad")
    ask("ada", "POST", path, {**body, "items": [{**line, "unitPrice": money("0.01")}]}, key="bad")
    ask("ada", "GET", f"{path}/{UNKNOWN}")
    ask("ada", "POST", f"{path}/{UNKNOWN}/cancel", {"reason": "x"})
    ask("ada", "GET", f"{path}?status=lost")
    player.place("ada", ("BX", 1), key="bad")


def declined(player: Player) -> None:
    for method in ("pm_card_declined", "pm_card_insufficient_funds", "pm_of_another_shop"):
        said = player.place("ada", ("BX", 2), method=method, key=f"no-{method}")
        player.place("ada", ("BX", 2), method=method, key=f"no-{method}")
        player.ask("ada", "GET", f"/api/orders/{said.body['orderId']}")
        player.payment_of(said.body["orderId"])
    player.ask("operator", "GET", f"/api/orders/{said.body['orderId']}/timeline")
    player.stock("BX", reserved=2)


def out_of_stock(player: Player) -> None:
    said = player.place("ada", ("AX", 1), ("BX", 100), ("CX", 100), key="too-many")
    player.ask("ada", "GET", f"/api/orders/{said.body['orderId']}/events")
    player.ask("ada", "GET", f"/api/payments?orderId={said.body['orderId']}")
    player.ask("operator", "GET", f"/api/orders/{said.body['orderId']}/timeline")
    player.stock("AX", reserved=3)


def cancelled(player: Player) -> None:
    order_id = player.place("ada", ("DX", 4), key="cancelled").body["id"]
    path = f"/api/orders/{order_id}/cancel"
    player.ask("cyd", "POST", path, {"reason": "not mine"})
    player.ask("ada", "POST", path, {"reason": ""})
    player.ask("ada", "POST", path, {"reason": "changed my mind"})
    player.ask("ada", "POST", path, {"reason": "once more"})
    refunded = f"/api/payments?orderId={order_id}"
    player.until("operator", refunded, lambda body: body["items"][0]["status"] == "refunded")
    player.ask("operator", "POST", f"/api/orders/{order_id}/ship", PARCEL)
    player.stock("DX", reserved=0, onHand=20)
    player.ask("ada", "GET", f"/api/orders/{order_id}/events")
    player.ask("operator", "GET", f"/api/orders/{order_id}/timeline")


def shipped(player: Player) -> str:
    """The order that was delivered."""
    ask = player.ask
    order_id = str(player.place("ada", ("DX", 3), ("BX", 2), key="shipped").body["id"])
    path = f"/api/orders/{order_id}"
    ask("operator", "POST", f"{path}/deliver")
    ask("ada", "POST", f"{path}/ship", PARCEL)
    ask("operator", "POST", f"{path}/ship", {"carrier": ""})
    ask("operator", "POST", f"{path}/ship", PARCEL)
    player.stock("DX", onHand=17, reserved=0, sold=3)
    ask("operator", "POST", f"{path}/ship", PARCEL)
    ask("ada", "POST", f"{path}/cancel", {"reason": "too late"})
    ask("operator", "POST", f"{path}/return", {"items": [{"sku": "DX", "quantity": 1}], "reason": "early"}, key="early")
    ask("operator", "POST", f"{path}/deliver")
    ask("operator", "POST", f"{path}/deliver")
    return order_id


def returned(player: Player, order_id: str) -> None:
    """A part of what was delivered, then all of it."""
    ask, path, by_order = player.ask, f"/api/orders/{order_id}/return", f"/api/payments?orderId={order_id}"

    def back(sku: str, units: int) -> dict[str, Any]:
        return {"items": [{"sku": sku, "quantity": units}], "reason": "does not fit"}

    def given_back(times: int) -> Any:
        return lambda body: [refund["done"] for refund in body["items"][0]["refunds"]] == [True] * times

    ask("operator", "POST", path, back("DX", 1))
    ask("ada", "POST", path, back("DX", 1), key="back-1")
    ask("operator", "POST", path, back("DX", 1), key="back-1")
    ask("operator", "POST", path, back("DX", 1), key="back-1")
    ask("operator", "POST", path, back("DX", 2), key="back-1")
    player.until("operator", by_order, given_back(1))
    player.stock("DX", onHand=18, reserved=0, sold=3)
    ask("operator", "POST", path, back("DX", 3), key="back-2")
    ask("operator", "POST", path, back("AX", 1), key="back-3")
    rest = {"items": [{"sku": "DX", "quantity": 2}, {"sku": "BX", "quantity": 2}], "reason": "nor does the rest"}
    ask("operator", "POST", path, rest, key="back-4")
    player.until("operator", by_order, given_back(2))
    player.stock("DX", onHand=20, reserved=0, sold=3)
    ask("operator", "POST", path, back("DX", 1), key="back-5")
    ask("operator", "GET", f"/api/orders/{order_id}/timeline")


def as_it_was(player: Player, order_id: str) -> None:
    path = f"/api/orders/{order_id}"
    events = player.ask("ada", "GET", f"{path}/events").body["items"]
    for version in range(1, len(events) + 2):
        player.ask("ada", "GET", f"{path}?version={version}")
    for event in events:
        player.ask("ada", "GET", f"{path}?asOf={event['timestamp']}")
    player.ask("ada", "GET", f"{path}?asOf=2020-01-01T00:00:00Z")
    for wrong in ("version=0", "version=x", "asOf=2030-01-01", "version=1&asOf=2030-01-01T00:00:00Z"):
        player.ask("ada", "GET", f"{path}?{wrong}")
    player.ask("cyd", "GET", f"{path}?version=1")


def refunded(player: Player) -> None:
    """An operator gives money back by hand, in parts."""
    order_id = player.place("ada", ("AX", 1), key="refunded").body["id"]
    path = f"/api/payments/{player.payment_of(order_id)['id']}/refunds"

    def refund(amount: str, who: str = "operator", **more: Any) -> None:
        player.ask(who, "POST", path, {"amount": money(amount), "reason": "a scratch"}, **more)

    refund("4.00")
    refund("4.00", "ada", key="r1")
    refund("4.00", key="r1")
    refund("4.00", key="r1")
    refund("5.00", key="r1")
    refund("6.01", key="r2")
    refund("0.00", key="r3")
    refund("1.005", key="r3")
    refund("6.00", "bob", key="r4")
    player.ask(
        "operator", "POST", f"/api/payments/{UNKNOWN}/refunds", {"amount": money("1.00"), "reason": "x"}, key="r"
    )
    player.payment_of(order_id)
    player.ask("ada", "GET", f"/api/orders/{order_id}")


def on_behalf(player: Player) -> None:
    """An operator's order for a customer, at an agreed price; and for somebody who does not exist."""
    ada = player.ask("ada", "GET", "/api/users/me").body["id"]
    line = {"sku": "AX", "quantity": 2, "unitPrice": money("7.5")}
    body = {"items": [line, {**line, "unitPrice": money("6.00")}], "paymentMethod": "pm_card_visa", "onBehalfOf": ada}
    placed = player.ask("operator", "POST", "/api/orders", body, key="agreed")
    player.ask("ada", "GET", f"/api/orders/{placed.body['id']}")
    body["onBehalfOf"] = UNKNOWN
    player.ask("operator", "POST", "/api/orders", body, key="for-nobody")


def lists(player: Player) -> None:
    """All of ada's orders and payments, a few at a time, there and back."""
    for path in ("/api/orders", "/api/payments"):
        page = player.ask("ada", "GET", f"{path}?limit=5").body
        while page["next"]:
            page = player.ask("ada", "GET", page["next"]).body
        player.ask("ada", "GET", page["previous"])
        player.ask("ada", "GET", f"{path}?cursor=nonsense")
        player.ask("cyd", "GET", path)
        player.ask(NOBODY, "GET", path)
    for status in ("confirmed", "cancelled", "returned", "pending"):
        player.ask("ada", "GET", f"/api/orders?status={status}&limit=3")
    player.ask("operator", "GET", "/api/orders?limit=2")
