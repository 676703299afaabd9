"""
Ten things go wrong in a shop of several services. Each stands on the console's first page within half a minute, with
where, since when, what to press and its section of the runbook; half of them are set right by pressing it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import WIDE, Visit, visited
from tests.provider.fixture import SECRET, RunningProvider, running_provider
from tests.shop import Shop, running

pytestmark = [pytest.mark.apart, pytest.mark.xdist_group("troubles"), pytest.mark.timeout(300)]

WITHIN = 30.0
"""Seconds."""
TOPOLOGY = "orders|payments|users,inventory"


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningProvider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def town(provider: RunningProvider, rabbit: Any) -> Iterator[Shop]:
    """Three services behind a gateway, on RabbitMQ, with Stripe's stand-in."""
    environ = {
        "TOPOLOGY": TOPOLOGY,
        "WEB_WORKERS": "1",
        "BROKER_URL": rabbit.new_vhost(),
        "PAYMENT_PROVIDER": "stripe",
        "STRIPE_API_KEY": "sk_test_thetesters",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_API_BASE": provider.url,
        "PROVIDER_TIMEOUT": "1s",
        "EVENT_ATTEMPTS": "2",
    }
    with contextmanager(running)(**environ) as shop:
        provider.announce_to(f"{shop.run['http']}/api/payments/webhooks/stripe")
        yield shop


@pytest.fixture
def console(browser: Browser, town: Shop) -> Iterator[Visit]:
    """The first page, of a shop in which nothing is wrong, before and after."""
    for visit in visited(browser, town.run["http"], WIDE):
        visit.sign_in()
        until_well(visit)
        yield visit
        until_well(visit)


def alarm(visit: Visit, name: str, *, says: str) -> Locator:
    """The trouble on the first page, once it is there and says where and what."""
    visit.open("/admin/")
    found = visit.page.locator(".console-alarms li").filter(has_text=f"Runbook: {name}").filter(has_text=says)
    _reload_until(visit, found.first.is_visible, within=WITHIN)
    return found.first


def until_well(visit: Visit) -> None:
    visit.open("/admin/")
    _reload_until(visit, visit.page.get_by_role("heading", name="Nothing is wrong").is_visible, within=2 * WITHIN)


def _reload_until(visit: Visit, condition: Callable[[], bool], *, within: float) -> None:
    """Fails with what the page says instead."""
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, visit.page.locator(".console-alarms").inner_text()
        visit.page.reload()


def read_up(visit: Visit, found: Locator, *words: str) -> None:
    """The link to the runbook leads to the section that names what to do."""
    found.get_by_role("link", name="Runbook").click()
    for word in words:
        expect(visit.page.locator("main, #content-main").first).to_contain_text(word)
    visit.open("/admin/")


def press(visit: Visit, title: str, *, reason: str) -> list[str]:
    """An action, from its button to the page after it. What it said would happen."""
    visit.page.get_by_role("link", name=title).click()
    preview = visit.page.locator(".console-preview li").all_inner_texts()
    visit.page.get_by_label("Reason").fill(reason)
    visit.page.get_by_role("button", name=title).click()
    return preview


def deed(town: Shop, domain: str) -> tuple[Any, ...]:
    """The last thing that an operator did there: what, and why."""
    ((action, reason),) = town.sql(domain, "SELECT action, reason FROM audit_auditentry ORDER BY at DESC LIMIT 1")
    return action, reason


def first_row(visit: Visit) -> None:
    visit.page.locator("#result_list tbody").get_by_role("link").first.click()


@contextmanager
def as_owner(town: Shop, domain: str) -> Iterator[Any]:
    with closing(psycopg2.connect(town.owner_url(domain))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        yield cursor


# --- Set right from the console ---------------------------------------------------------------------------------------


def test_an_event_that_was_parked_is_run_again(console: Visit, town: Shop) -> None:
    sku, table = town.product(stock=10), "inventory.inventory_stockmovement"
    order = town.place(town.customer(), {sku: 2}).body["id"]
    with as_owner(town, "inventory") as cursor:
        cursor.execute(f"REVOKE INSERT ON {table} FROM inventory")
        try:
            sent = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
            assert town.send("POST", f"/api/orders/{order}/ship", sent, token=town.operator).status == 200
            found = alarm(console, "EventParked", says="Inventory 1 event could not be handled")
        finally:
            cursor.execute(f"GRANT INSERT ON {table} TO inventory")
    assert town.stock(sku)["sold"] == 0
    console.photograph("console-troubles")

    found.get_by_role("link", name="Run again, or Give up").click()
    first_row(console)
    preview = press(console, "Run again", reason="It may write there again.")

    assert preview == [
        "The event runs again as if it had just come, with all its attempts before it.",
        "0 later events of the same subject follow once it is handled.",
    ]
    town.wait_until(lambda: town.stock(sku) == {**town.stock(sku), "sold": 2, "onHand": 8, "reserved": 0}, limit=20)
    assert deed(town, "inventory") == ("inventory.replay_event", "It may write there again.")


def test_a_process_that_is_stuck_goes_on(console: Visit, town: Shop) -> None:
    placed = town.place(town.customer(), {town.product(stock=5): 1}, method="pm_async")
    stop = (
        "UPDATE saga_sagarun SET state = 'needs_attention', error = 'nobody foresaw it', lease_until = NULL,"
        " epoch = epoch + 1 WHERE subject = %s RETURNING id"
    )
    assert len(town.sql("orders", stop, placed.body["id"])) == 1
    found = alarm(console, "SagaNeedsAttention", says="Orders 1 process waits for a person.")

    found.get_by_role("link", name="Try again, or Undo all").click()
    first_row(console)
    preview = press(console, "Try again", reason="Looked at.")

    step = "process_payment is tried again, under the key it always had: what was done is not done twice."
    assert preview[0] == step
    assert town.await_status(placed.body["id"], "confirmed", limit=30)["status"] == "confirmed"
    assert [payment["status"] for payment in town.payments(placed.body["id"])] == ["captured"]
    assert deed(town, "orders") == ("orders.retry_process", "Looked at.")


def test_a_neighbour_that_is_left_alone_for_bad_settings_is_asked_again(console: Visit, town: Shop) -> None:
    sku, token = town.product(stock=100), town.customer()
    for key, value in (("timeout", "600ms"), ("breaker_failures", "1")):
        words = ("dynamic_values", "set", f"calls.payments.{key}", value, "--reason", "To be strict.")
        changed = town.manage(*words)
        assert changed.returncode == 0, changed.stderr

    def order() -> Any:
        # Payments waits for the provider for a second, and would say then that it has no answer.
        return town.place(token, {sku: 1}, method="pm_fault_capture_then_timeout")

    answers: list[Any] = []

    def is_left_alone() -> bool:
        answers.extend(town.together(order, order))
        console.open("/admin/")
        return console.page.locator(".console-alarms li").filter(has_text="BreakerOpen").first.is_visible()

    town.wait_until(is_left_alone, limit=WITHIN)
    for key, default in (("timeout", "30s"), ("breaker_failures", "5")):
        found = alarm(console, "BreakerOpen", says="Orders Calls to payments fail")
        found.get_by_role("link", name="How payments is asked").click()
        console.page.get_by_role("link", name=f"calls.payments.{key}").click()
        preview = press(console, "Back to default", reason="Payments takes longer than that.")
        assert preview[-1] == f"It is {default} again."

    values = town.sql("users", "SELECT text FROM dynconf_dynamicvalue WHERE key LIKE 'calls.payments.%%'")
    assert set(values) == {(None,)}
    assert deed(town, "users") == ("users.reset_value", "Payments takes longer than that.")
    town.wait_until(lambda: town.place(token, {sku: 1}).status == 201, limit=WITHIN)
    ended = [town.await_status(answer.body["id"], "confirmed", "cancelled") for answer in answers]
    assert {answer["status"] for answer in ended} == {"confirmed"}


def test_stock_that_drifted_is_set_to_what_the_journal_says(console: Visit, town: Shop) -> None:
    sku = town.product(stock=10)
    town.place(town.customer(), {sku: 2})
    right = town.stock(sku)
    town.sql("inventory", "UPDATE inventory_stock SET on_hand = on_hand + 3 WHERE sku = %s RETURNING 1", sku)
    assert town.stock(sku)["onHand"] == 13
    found = alarm(console, "StockDrifted", says="Inventory The stock of 1 product is not what was moved adds up to.")

    found.get_by_role("link", name="Set to the journal").click()
    first_row(console)
    preview = press(console, "Set to the journal", reason="Nobody was to write there.")

    assert any("13" in sentence and "10" in sentence for sentence in preview), preview
    assert town.stock(sku) == right
    assert deed(town, "inventory")[1] == "Nobody was to write there."


def test_a_relay_that_hangs_is_started_anew(console: Visit, town: Shop) -> None:
    stalled = town.pid("relay-orders")
    os.killpg(stalled, signal.SIGSTOP)
    sku = town.product(stock=10)
    order = town.place(town.customer(), {sku: 2}).body["id"]
    sent = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
    assert town.send("POST", f"/api/orders/{order}/ship", sent, token=town.operator).status == 200
    found = alarm(console, "RelayStalled", says="Orders No relay is heard of: it is dead, or hangs.")
    assert town.stock(sku)["sold"] == 0

    found.get_by_role("link", name="Start anew").click()
    console.page.locator("#result_list tbody tr").filter(has_text="not heard of").get_by_role("link").first.click()
    preview = press(console, "Start anew", reason="It hangs.")

    assert preview == [
        "relay-orders is started anew: the next one is ready before this one is told to end.",
        "One that hangs is ended by force a few seconds later. What it had begun is taken up by the next.",
    ]
    town.wait_until(lambda: town.stock(sku)["sold"] == 2, limit=60)
    town.wait_until(lambda: town.pid("relay-orders") != stalled, limit=60)
    town.wait_until(lambda: not Path(f"/proc/{stalled}").exists(), limit=60)
    assert deed(town, "orders") == ("orders.start_anew", "It hangs.")


# --- Told, with the cause and the runbook -----------------------------------------------------------------------------


def test_a_payment_provider_that_does_not_answer_is_told(console: Visit, town: Shop, provider: RunningProvider) -> None:
    sku, token = town.product(stock=10), town.customer()
    provider.stop()
    try:
        placed = [town.place(token, {sku: 1}) for _ in range(3)]
        found = alarm(console, "ProviderSilent", says="Payments The payment provider does not answer")
        read_up(console, found, "status page")
    finally:
        provider.start()

    assert {answer.status for answer in placed} == {202}
    assert {town.await_status(each.body["id"], "confirmed")["status"] for each in placed} == {"confirmed"}


def test_a_key_that_has_expired_is_told(console: Visit, town: Shop, provider: RunningProvider) -> None:
    sku, token = town.product(stock=10), town.customer()
    provider.refuse_keys(True)
    try:
        placed = [town.place(token, {sku: 1}) for _ in range(3)]
        found = alarm(console, "ProviderKeyRefused", says="Payments The payment provider refuses our key")
        read_up(console, found, "STRIPE_API_KEY")
    finally:
        provider.refuse_keys(False)

    assert {town.await_status(each.body["id"], "confirmed")["status"] for each in placed} == {"confirmed"}


def test_a_worker_that_is_dead_is_told(console: Visit, town: Shop) -> None:
    town.hold_supervisor()
    try:
        town.kill_group("worker-payments")
        found = alarm(console, "ProcessDown", says="Payments No worker is heard of: it is dead, or hangs.")
        read_up(console, found, "var/run.json")
    finally:
        town.let_supervisor_go()


def test_a_broker_whose_disk_is_full_is_told(console: Visit, town: Shop, rabbit: Any) -> None:
    sku = town.product(stock=10)
    order = town.place(town.customer(), {sku: 2}).body["id"]
    rabbit.control("set_disk_free_limit", "100000GB")
    try:
        sent = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
        assert town.send("POST", f"/api/orders/{order}/ship", sent, token=town.operator).status == 200
        found = alarm(console, "BrokerDiskFull", says="The broker takes no more events: it is full.")
        read_up(console, found, "disk_free_limit")
    finally:
        rabbit.control("set_disk_free_limit", "50MB")

    town.wait_until(lambda: town.stock(sku)["sold"] == 2, limit=60)


def test_a_database_that_is_slow_is_told(console: Visit, town: Shop) -> None:
    with closing(psycopg2.connect(town.owner_url("orders"))) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE orders.saga_sagarun IN ACCESS EXCLUSIVE MODE")
        found = alarm(console, "DatabaseSlow", says="Orders The database takes far longer than it should")
        read_up(console, found, "pg_stat_activity")
