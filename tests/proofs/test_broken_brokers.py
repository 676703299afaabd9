"""
Twenty orders a second while relay, worker and broker are killed, the broker is stopped, wiped, unbound and out of room.

The test owns the truth: it keeps its own journal of what was acknowledged, and compares sets from outside.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kombu import Connection

from config.subscriptions import SUBSCRIPTIONS
from runtime.embedded.placement import discard
from runtime.embedded.valkey import Valkey
from tests.shop import Shop, running, wait_until

KILLS = int(os.environ.get("KILLS", "10"))
OUTAGE = float(os.environ.get("OUTAGE", "60"))
SHORT = OUTAGE / 2
CUSTOMERS = 4
DOMAINS = ("users", "inventory", "payments", "orders")


class OwnValkey:
    """A Valkey of the test's own, to be mistreated."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mitosis-broker-"))
        self._server = Valkey(self.folder)
        self._server.start()
        self.url = self._server.url(0)

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        if self._server.process is not None:
            self._server.process.kill()

    def wipe(self) -> None:
        shutil.rmtree(self.folder / "valkey" / "appendonlydir", ignore_errors=True)

    def end(self) -> None:
        self._server.stop()
        discard(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


class Buyers:
    """Twenty orders a second, each with a key of its own, and a journal of what was answered."""

    def __init__(self, shop: Shop, sku: str) -> None:
        self.acknowledged: list[str] = []
        self.other: list[Any] = []
        self._shop, self._sku = shop, sku
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._buy, args=(shop.customer(),)) for _ in range(CUSTOMERS)]

    def __enter__(self) -> Buyers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _buy(self, token: str) -> None:
        renewed = time.monotonic()
        while not self._stop.is_set():
            if time.monotonic() - renewed > 600:
                token, renewed = self._shop.customer(), time.monotonic()
            due = time.monotonic() + CUSTOMERS / 20
            try:
                answer = self._shop.place(token, {self._sku: 1}, key=str(uuid4()))
                if answer.status in (201, 202):
                    self.acknowledged.append(answer.body["id"])
                else:
                    self.other.append(answer)
            except Exception as error:
                self.other.append(error)
            self._stop.wait(max(0.0, due - time.monotonic()))


@pytest.fixture(params=["rabbitmq", "valkey"])
def house(request: pytest.FixtureRequest) -> Iterator[tuple[Shop, Any]]:
    broker: Any = request.getfixturevalue("rabbit") if request.param == "rabbitmq" else OwnValkey()
    try:
        for shop in running(BROKER_URL=broker.url):
            yield shop, broker
    finally:
        if request.param == "valkey":
            broker.end()


def test_orders_are_accepted_throughout_and_no_event_is_lost_doubled_or_out_of_order(house: tuple[Shop, Any]) -> None:
    shop, broker = house
    sku = shop.product(stock=1_000_000)
    with Buyers(shop, sku) as buyers:
        wait_until(lambda: len(buyers.acknowledged) > 40, limit=30)
        for fault in faults(shop, broker):
            before = len(buyers.acknowledged)
            fault()
            wait_until(lambda: len(buyers.acknowledged) > before, limit=10)  # noqa: B023 - waited for within the round
            ship(shop, buyers.acknowledged[-1])
        healed = time.monotonic()
    wait_until(lambda: not unfinished(shop), limit=60 - (time.monotonic() - healed) + 30)
    settled = time.monotonic() - healed
    print(f"\n{len(buyers.acknowledged)} orders acknowledged; all settled {settled:.0f} s after the last fault")

    assert buyers.other == []
    orders = {str(order) for (order,) in shop.sql("orders", "SELECT id FROM orders_order")}
    assert orders == set(buyers.acknowledged)
    assert len(buyers.acknowledged) == len(orders)
    lost, unexpected, events = compared(shop)
    print(f"{events} deliveries expected; {len(lost)} lost, {len(unexpected)} unexpected")
    assert (lost, unexpected) == (set(), set())
    assert out_of_order(shop) == []
    verified = shop.manage("verify")
    print(verified.stdout)
    assert verified.returncode == 0


def faults(shop: Shop, broker: Any) -> list[Callable[[], None]]:
    kills = [
        fault
        for fault in (
            lambda: kill(shop, "relay"),
            lambda: kill_child(shop),
            lambda: kill(shop, "worker"),
            lambda: interrupted(broker, 0.5),
        )
        for _ in range(KILLS)
    ]
    random.Random(2026).shuffle(kills)
    longer: list[Callable[[], None]] = [
        lambda: interrupted(broker, OUTAGE),
        lambda: interrupted(broker, 1.0, wiped=True),
    ]
    if not isinstance(broker, OwnValkey):
        longer += [lambda: unbound(broker), lambda: full(broker)]
    return kills + longer


def kill(shop: Shop, name: str) -> None:
    pid = shop.pid(name)
    os.killpg(pid, signal.SIGKILL)
    wait_until(lambda: any(p["name"] == name and p["pid"] != pid for p in shop.run["processes"]), limit=20)
    time.sleep(random.Random(pid).uniform(0.2, 1.5))


def kill_child(shop: Shop) -> None:
    children = subprocess.run(["pgrep", "-P", str(shop.pid("worker"))], capture_output=True, text=True, check=False)
    if found := children.stdout.split():
        os.kill(int(found[0]), signal.SIGKILL)
    time.sleep(1.0)


def interrupted(broker: Any, seconds: float, *, wiped: bool = False) -> None:
    broker.kill()
    if wiped:
        broker.wipe()
    time.sleep(seconds)
    broker.start()


def unbound(broker: Any) -> None:
    with Connection(broker.url) as connection, connection.channel() as channel:
        channel.queue_unbind("orders", exchange="payments", routing_key="payment.captured")
    time.sleep(SHORT)


def full(broker: Any) -> None:
    broker.control("set_disk_free_limit", "100000GB")
    try:
        time.sleep(SHORT)
    finally:
        broker.control("set_disk_free_limit", "50MB")


def ship(shop: Shop, order: str) -> None:
    """So that another domain has something to do that would show if it were done twice."""
    shop.operator = shop.sign_in("operator@journeys.example")
    if shop.await_status(order, "confirmed", "cancelled")["status"] == "confirmed":
        body = {"carrier": "Royal Mail", "trackingNumber": "RM123456785GB"}
        answer = shop.send("POST", f"/api/orders/{order}/ship", body, token=shop.operator)
        assert answer.status == 200, answer


def unfinished(shop: Shop) -> list[tuple[str, int]]:
    """What is not sent, not known to have come, not handled, or not ended."""
    questions = {
        "unsent": "SELECT count(*) FROM messaging_outboxmessage WHERE wanted AND published_at IS NULL",
        "unsettled": "SELECT count(*) FROM messaging_outboxmessage WHERE wanted AND settled_at IS NULL",
        "unhandled": "SELECT count(*) FROM messaging_inboxmessage WHERE handled_at IS NULL",
        "open": "SELECT count(*) FROM saga_sagarun WHERE state NOT IN ('completed', 'compensated')",
    }
    found = [(f"{domain} {name}", shop.sql(domain, sql)[0][0]) for domain in DOMAINS for name, sql in questions.items()]
    return [(name, count) for name, count in found if count]


def compared(shop: Shop) -> tuple[set[Any], set[Any], int]:
    """(consumer, event) that should have been handled and were not; that were and should not; how many should."""
    told = {
        (event, kind)
        for domain in DOMAINS
        for event, kind in shop.sql(domain, "SELECT event_id, event_type FROM messaging_outboxmessage")
    }
    wanted = {
        (consumer, event)
        for consumer, types in SUBSCRIPTIONS.items()
        for event, kind in told
        if kind in {t.name for t in types}
    }
    handled = {
        (consumer, event)
        for consumer in DOMAINS
        for (event,) in shop.sql(consumer, "SELECT event_id FROM messaging_inboxmessage WHERE handled_at IS NOT NULL")
    }
    return wanted - handled, handled - wanted, len(wanted)


def out_of_order(shop: Shop) -> list[Any]:
    """Aggregates of which a consumer handled a later event before an earlier one."""
    return [
        row
        for consumer in DOMAINS
        for row in shop.sql(
            consumer,
            "SELECT source, subject FROM (SELECT source, subject, sequence, lag(sequence) OVER (PARTITION BY source,"
            " subject ORDER BY handled_at) AS before FROM messaging_inboxmessage) AS one WHERE before > sequence",
        )
    ]
