"""A shop runs while one of its domains moves: what was under way ends after it, and nothing is done twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from runtime.embedded.postgres import Postgres
from tests.shop import Shop, running
from tests.topologies.moving import server_elsewhere

pytestmark = [pytest.mark.apart, pytest.mark.xdist_group("moving"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Postgres]:
    """A server that is not the shop's."""
    yield from server_elsewhere()


@pytest.fixture(scope="module")
def moved(elsewhere: Postgres) -> Iterator[Shop]:
    """A monolith whose domains will be moved."""
    yield from running(WEB_WORKERS="1", MITOSIS_ENV="test")


def hosts(shop: Shop, domain: str) -> list[str]:
    """The processes that run a domain's code, by name."""
    roles = ("web", "worker", "relay")
    return sorted(
        each["name"] for each in shop.run["processes"] if domain in each["domains"] and each["name"].startswith(roles)
    )


def test_orders_go_and_come_back_while_an_order_is_under_way(moved: Shop, elsewhere: Postgres) -> None:
    token, sku = moved.customer(), moved.product(stock=10)
    key = str(uuid4())
    first = moved.place(token, {sku: 1}, key=key)
    assert first.status == 201
    # Settles two seconds later, by a webhook, when nobody hosts orders.
    waiting = moved.place(token, {sku: 1}, method="pm_card_async")
    assert waiting.status == 202
    before = moved.sql("orders", "SELECT id, status FROM orders_order WHERE id = %s", first.body["id"])
    address = moved.run["http"]

    done = moved.manage("extract", "orders", "--database-url", elsewhere.url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Downtime: " in done.stdout
    assert moved.run["http"] == address
    assert moved.run["databases"]["orders"].endswith(f":{elsewhere.port}/mitosis")
    assert hosts(moved, "orders") == ["relay-orders", "web-orders", "worker-orders"]
    assert hosts(moved, "users") == [f"{role}-users+inventory+payments" for role in ("relay", "web", "worker")]
    assert moved.sql("orders", "SELECT id, status FROM orders_order WHERE id = %s", first.body["id"]) == before
    assert moved.await_status(waiting.body["id"], "confirmed")["id"] == waiting.body["id"]
    again = moved.place(token, {sku: 1}, key=key)
    assert (again.status, again.headers["Idempotency-Replayed"], again.body["id"]) == (201, "true", first.body["id"])
    assert len(moved.payments(first.body["id"])) == 1
    assert moved.place(token, {sku: 1}).status == 201
    assert moved.stock(sku)["available"] == 7
    verified = moved.manage("verify")
    assert verified.returncode == 0, verified.stdout

    back = moved.manage("absorb", "orders")

    assert back.returncode == 0, back.stdout + back.stderr
    assert hosts(moved, "orders") == ["relay", "web", "worker"]
    assert not (moved.folder / "topology.json").exists()
    assert moved.order(waiting.body["id"])["status"] == "confirmed"
    assert moved.place(token, {sku: 1}, key=key).body["id"] == first.body["id"]
    assert moved.place(token, {sku: 1}).status == 201
    verified = moved.manage("verify")
    assert verified.returncode == 0, verified.stdout


def test_a_command_that_is_killed_is_taken_up_by_what_runs(moved: Shop, elsewhere: Postgres) -> None:
    token, sku = moved.customer(), moved.product(stock=5)
    processes = {name: moved.pid(name) for name in ("postgres", "valkey")}
    moved.environ["CRASH_AT"] = "move.after_copied"
    try:
        died = moved.manage("extract", "payments", "--database-url", elsewhere.url)
    finally:
        del moved.environ["CRASH_AT"]
    assert died.returncode == -9, died.stdout + died.stderr

    moved.wait_until(lambda: not (moved.folder / "move.json").exists(), limit=120)
    moved.wait_until(lambda: moved.run["state"] == "ready" and "resting" not in moved.run, limit=120)

    assert moved.place(token, {sku: 1}).status == 201
    assert hosts(moved, "payments") == ["relay", "web", "worker"]
    assert {name: moved.pid(name) for name in processes} == processes
    assert not (moved.folder / "topology.json").exists()


def test_only_what_changes_is_started_again(moved: Shop, elsewhere: Postgres) -> None:
    """Of three groups one moves to another database: the gateway and the servers go on, and so does who is not told."""
    done = moved.manage("extract", "users", "--database-url", elsewhere.url)
    assert done.returncode == 0, done.stdout + done.stderr
    before = {each["name"]: each["pid"] for each in moved.run["processes"]}

    absorbed = moved.manage("absorb", "users", "--take-up")

    assert absorbed.returncode == 0, absorbed.stderr
    assert {each["name"]: each["pid"] for each in moved.run["processes"]} == before
    secrets = json.loads((moved.folder / "secrets.json").read_text())
    (worker,) = [each for each in moved.run["processes"] if each["name"] == "worker-inventory+payments+orders"]
    told = Path(f"/proc/{worker['pid']}/environ").read_bytes().decode()
    assert secrets["JWT_SIGNING_KEY"].splitlines()[1] not in told
    assert elsewhere.url not in told
    assert moved.manage("extract", "payments", "--database-url", elsewhere.url).returncode == 0
    now = {each["name"]: each["pid"] for each in moved.run["processes"]}
    same = {name for name, pid in before.items() if now.get(name) == pid}
    assert {"gateway", "postgres", "valkey"} <= same
