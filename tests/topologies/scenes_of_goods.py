"""The catalogue, the shelf, and what belongs to no domain."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

from runtime.embedded.state import secrets
from tests.topologies.player import NOBODY, Player

PRODUCTS = {"AX": "10.00", "BX": "2.50", "CX": "7.25", "DX": "10.00", "EX": "5.00"}


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


def catalogue(player: Player) -> None:
    ask, path = player.ask, "/api/inventory/products"
    for sku, price in PRODUCTS.items():
        ask("operator", "POST", path, {"sku": sku, "name": f"Thing {sku}", "price": money(price)})
    product = {"sku": "AX", "name": "Again", "price": money("1.00")}
    ask("operator", "POST", path, product)
    ask("ada", "POST", path, product)
    ask(NOBODY, "POST", path, product)
    wrong = {"sku": "A B", "name": "x", "price": {"amount": "1.005", "currency": "EUR"}, "colour": "red"}
    ask("operator", "POST", path, wrong)
    ask("operator", "POST", path, {**product, "sku": "ZX", "price": 1.5})
    ask("operator", "PATCH", f"{path}/EX", {"active": False, "description": "No longer sold."})
    ask("ada", "PATCH", f"{path}/EX", {"active": True})
    ask("operator", "PATCH", f"{path}/NONE", {"active": True})
    ask(NOBODY, "GET", f"{path}/EX")
    ask(NOBODY, "GET", f"{path}/NONE")
    page = ask("ada", "GET", f"{path}?limit=3").body
    page = ask("ada", "GET", page["next"]).body
    page = ask("ada", "GET", page["next"]).body
    ask("ada", "GET", page["previous"])
    ask("ada", "GET", f"{path}?search=thing&limit=2")
    for wrong_page in ("cursor=nonsense", "limit=0", "limit=101", "limit=x", "search=%00"):
        ask("ada", "GET", f"{path}?{wrong_page}")
    ask(NOBODY, "HEAD", f"{path}/AX")
    ask("ada", "DELETE", f"{path}/AX")


def shelf(player: Player) -> None:
    ask, path = player.ask, "/api/inventory/products"
    delivery = {"quantity": 20, "reason": "delivered"}
    for sku in ("AX", "BX", "CX", "DX"):
        ask("operator", "POST", f"{path}/{sku}/restock", delivery, key=f"first {sku}".replace(" ", "-"))
    ask("operator", "POST", f"{path}/AX/restock", delivery, key="first-AX")
    ask("operator", "POST", f"{path}/AX/restock", {**delivery, "quantity": 21}, key="first-AX")
    ask("operator", "POST", f"{path}/AX/restock", delivery)
    ask("operator", "POST", f"{path}/AX/restock", {"quantity": 0, "reason": ""}, key="none")
    ask("operator", "POST", f"{path}/NONE/restock", delivery, key="nothing")
    ask("ada", "POST", f"{path}/AX/restock", delivery, key="mine")
    ask("operator", "POST", f"{path}/BX/adjust", {"quantity": -1, "reason": "counted"}, key="count-1")
    ask("operator", "POST", f"{path}/BX/adjust", {"quantity": -100, "reason": "counted"}, key="count-2")
    ask(NOBODY, "GET", f"{path}/AX/stock")
    ask("ada", "GET", f"{path}/AX/stock")
    ask("bob", "GET", f"{path}/AX/stock")
    ask(NOBODY, "GET", f"{path}/NONE/stock")


def webhooks(player: Player) -> None:
    path, body = "/api/payments/webhooks/sandbox", b'{"id": "hook-1", "key": "nothing:charge"}'
    secret = secrets(player.shop.folder)["SANDBOX_WEBHOOK_SECRET"].encode()

    def signature(at: float, key: bytes) -> str:
        return f"t={at:.0f},v1={hmac.new(key, f'{at:.0f}.'.encode() + body, hashlib.sha256).hexdigest()}"

    now = time.time()
    for name, header in {
        "a good one": signature(now, secret),
        "the same again": signature(now, secret),
        "an old one": signature(now - 400, secret),
        "a guess": signature(now, b"guess"),
        "none": "",
    }.items():
        # Not written down: they are different each time.
        said = player.shop.send("POST", path, raw=body, x_sandbox_signature=header)
        code = said.body["code"] if said.body else ""
        player.transcript.line(f"webhook, {name}: {said.status} {code}".rstrip())
    player.ask(NOBODY, "POST", "/api/payments/webhooks/acme", raw=body)


def nowhere(player: Player) -> None:
    """What is nobody's, or not for people: the same answer, whoever would have had it."""
    for path in ("/", "/nothing", "/api", "/api/nothing", "/api/orders/", "/api/Orders", "/metrics", "/health/x"):
        player.ask("ada", "GET", path)
    for path in ("/internal", "/internal/contracts/users/get", "/internal/config"):
        player.ask("ada", "POST", path, {"user_id": "x"})
    player.ask("ada", "GET", "/api/orders/00000000-0000-7000-8000-000000000000/nothing")
    player.ask("ada", "OPTIONS", "/api/orders", origin="https://elsewhere.example")
    player.ask("ada", "TRACE", "/api/orders")
    player.ask("ada", "GET", "/api/orders", x_request_id="mine", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")
    player.ask("ada", "GET", "/nothing", x_request_id="mine", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")


def documents(player: Player) -> None:
    player.ask(NOBODY, "GET", "/.well-known/jwks.json")
    for path in ("/api/schema", "/api/users/schema", "/api/inventory/schema", "/api/payments/schema"):
        player.ask(NOBODY, "GET", path)
    player.ask(NOBODY, "GET", "/api/orders/schema")
    player.ask(NOBODY, "GET", "/api/docs")
    for path in ("/health/live", "/health/ready", "/health"):
        # What was looked at differs: of a split shop it is each group.
        said = player.shop.send("GET", path)
        members: Any = sorted(said.body)
        player.transcript.line(f"{path}: {said.status} {said.headers['Content-Type']} {members} {said.body['status']}")


def too_many(player: Player) -> None:
    """Nobody in particular has asked so often by now; the next that are too many are turned away."""
    limit = 150
    assert player.anonymous < limit, "the scenes before have used up what anonymous clients may ask"
    for _ in range(limit - player.anonymous):
        player.shop.send("GET", "/api/inventory/products/AX")
    player.ask(NOBODY, "GET", "/api/inventory/products/AX")
    player.ask(NOBODY, "POST", "/api/users/token", {"email": "x", "password": "y"})
    player.ask("ada", "GET", "/api/inventory/products/AX")
    player.ask("operator", "GET", "/api/inventory/products/AX")
    player.ask(NOBODY, "GET", "/health/live/nothing")
