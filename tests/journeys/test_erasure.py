"""
Somebody is erased, and then looked for: in every table of every domain, on the broker, in the cache, in every file.

What was ordered and paid stays as it was.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
import redis

from tests.shop import PASSWORD

pytestmark = pytest.mark.xdist_group("shop")

DOMAINS = ("users", "inventory", "payments", "orders")


@dataclass(slots=True)
class Trail:
    """A customer whose every word has a canary in it, and what the customer did."""

    shop: Any
    canary: str = field(default_factory=lambda: f"canary{uuid4().hex}")
    id: str = ""
    token: str = ""
    orders: list[str] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"{self.canary}@canaries.example"

    def register(self) -> Any:
        body = {"email": self.email, "name": f"Ada {self.canary}", "password": PASSWORD}
        return self.shop.send("POST", "/api/users", body)

    def send(self, path: str, body: Any, *, as_operator: bool = False, method: str = "POST") -> Any:
        token = self.shop.operator if as_operator else self.token
        return self.shop.send(method, path, body, token=token, idempotency_key=str(uuid4()))

    def place(self, sku: str, **more: Any) -> Any:
        body = {"items": [{"sku": sku, "quantity": 2}], "paymentMethod": "pm_card_visa", "note": f"for {self.canary}"}
        answer = self.send("/api/orders", {**body, **more})
        self.orders.append(answer.body.get("id") or answer.body["orderId"])
        return answer


@pytest.fixture
def trail(shop: Any) -> Trail:
    """Orders that were confirmed, cancelled, declined, refunded in part and returned; words at every turn."""
    trail, sku = Trail(shop), shop.product(stock=20, price="7.50")
    trail.id = trail.register().body["id"]
    trail.token = shop.sign_in(trail.email)
    kept, cancelled, returned = (trail.place(sku).body["id"] for _ in range(3))
    assert trail.place(sku, paymentMethod="pm_card_declined").status == 402
    word = f"because of {trail.canary}"
    assert trail.send(f"/api/orders/{cancelled}/cancel", {"reason": word}).status == 200
    (payment,) = shop.payments(kept)
    refund = {"amount": {"amount": "1.00", "currency": "GBP"}, "reason": word}
    assert trail.send(f"/api/payments/{payment['id']}/refunds", refund, as_operator=True).status == 201
    ship = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
    assert trail.send(f"/api/orders/{returned}/ship", ship, as_operator=True).status == 200
    assert trail.send(f"/api/orders/{returned}/deliver", None, as_operator=True).status == 200
    back = {"items": [{"sku": sku, "quantity": 1}], "reason": word}
    assert trail.send(f"/api/orders/{returned}/return", back, as_operator=True).status == 200
    # What goes wrong is where things are written down that should not be.
    assert trail.register().status == 409
    shop.send("POST", "/api/users/token", {"email": trail.email, "password": trail.canary})
    shop.send("POST", "/api/users/token/refresh", {"refresh": trail.canary})
    shop.send("POST", "/api/users/password-reset", {"email": trail.email})
    shop.send("GET", f"/api/users?search={trail.email}", token=shop.operator)
    shop.send("PATCH", f"/api/users/{trail.id}", {"name": trail.canary * 20}, token=trail.token)
    return trail


# --- Looking --------------------------------------------------------------------------------------------------------


def in_tables(trail: Trail) -> list[str]:
    """The tables that hold the canary, in any column."""
    found = []
    for domain in DOMAINS:
        connection = psycopg2.connect(trail.shop.owner_url(domain))
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [domain])
            tables = [name for (name,) in cursor.fetchall()]
            assert {"messaging_outboxmessage", "messaging_inboxmessage", "idempotency_idempotencykey"} <= set(tables)
            for table in tables:
                pattern = [f"%{trail.canary}%"]
                cursor.execute(f'SELECT count(*) FROM "{domain}"."{table}" t WHERE t::text ILIKE %s', pattern)
                found += [f"{domain}.{table}"] * cursor.fetchone()[0]
        connection.close()
    return found


def on_valkey(trail: Trail) -> list[str]:
    """The keys that hold the canary, in their names or in what they hold; messages are opened."""
    found = []
    for url in {trail.shop.run["broker"], trail.shop.run["cache"]}:
        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter():
                if any(trail.canary.encode() in text.lower() for text in (key, *_held(client, key))):
                    found.append(f"{url.rpartition('/')[2]} {key!r}")
    return found


def _held(client: Any, key: bytes) -> Iterator[bytes]:
    readers = {
        b"string": lambda: [client.get(key) or b""],
        b"list": lambda: client.lrange(key, 0, -1),
        b"set": lambda: client.smembers(key),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"hash": lambda: [part for pair in client.hgetall(key).items() for part in pair],
        b"stream": lambda: [repr(client.xrange(key)).encode()],
        b"none": list,
    }
    for text in readers[client.type(key)]():
        yield text
        if b'"body"' in text:
            yield base64.b64decode(json.loads(text)["body"])


def in_files(trail: Trail, *, below: str = "") -> list[str]:
    """The files under the state directory that hold the canary; but for PostgreSQL's own, which are looked at above."""
    home = trail.shop.folder
    files = [
        path for path in (home / below).rglob("*") if path.is_file() and "data" not in path.relative_to(home).parts
    ]
    return [str(path.relative_to(home)) for path in files if trail.canary.encode() in path.read_bytes().lower()]


# --- The journey ----------------------------------------------------------------------------------------------------


def test_nothing_is_found_of_somebody_who_was_erased_and_the_books_stay_as_they_were(shop: Any, trail: Trail) -> None:
    shop.wait_until(lambda: len(in_files(trail, below="mail")) >= 2, limit=20)
    before = in_tables(trail)
    written = {"users.users_user", "orders.orders_ordernote", "payments.payments_refund"}
    assert written | {"payments.idempotency_idempotencykey"} <= set(before), before
    assert before.count("orders.orders_ordernote") >= 5
    assert on_valkey(trail) == []
    assert set(in_files(trail)) == set(in_files(trail, below="mail"))
    orders = {order: shop.order(order) for order in trail.orders}
    payments = {order: _without_reasons(shop.payments(order)) for order in trail.orders}

    assert shop.send("DELETE", f"/api/users/{trail.id}", token=trail.token).status == 204

    shop.wait_until(lambda: in_tables(trail) == [], limit=30)
    shop.wait_until(lambda: in_files(trail) == [], limit=30)
    assert on_valkey(trail) == []
    assert {order: shop.order(order) for order in trail.orders} == orders
    assert {order: _without_reasons(shop.payments(order)) for order in trail.orders} == payments
    assert [order["userId"] for order in orders.values()] == [trail.id] * 4


def test_what_an_erased_customer_still_tries_with_an_old_token_leaves_no_words(shop: Any, trail: Trail) -> None:
    sku = shop.product(stock=5)
    waiting = trail.place(sku).body["id"]
    shop.send("DELETE", f"/api/users/{trail.id}", token=trail.token)
    shop.wait_until(lambda: in_tables(trail) == [], limit=30)

    placed = trail.place(sku)
    cancelled = trail.send(f"/api/orders/{waiting}/cancel", {"reason": trail.canary})

    assert (placed.status, placed.body["code"]) == (403, "user_inactive")
    assert cancelled.status in {200, 409}
    assert in_tables(trail) == []


def test_the_address_of_somebody_who_was_erased_can_be_registered_again(shop: Any, trail: Trail) -> None:
    shop.send("DELETE", f"/api/users/{trail.id}", token=trail.token)
    assert shop.send("POST", "/api/users/token", {"email": trail.email, "password": PASSWORD}).status == 401

    again = trail.register()

    assert again.status == 201
    assert again.body["id"] != trail.id
    assert shop.send("GET", "/api/orders", token=shop.sign_in(trail.email)).body["items"] == []


def _without_reasons(payments: list[Any]) -> list[Any]:
    """The amounts and times; what an operator wrote about a refund is a word, and no money."""
    return [
        {**payment, "refunds": [{**refund, "reason": "…"} for refund in payment["refunds"]]} for payment in payments
    ]
