"""Real web servers, one with the table and one without: a change is heard of, and an outage changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3
from django.db import connections

from contracts._base import new_id
from runtime.dynconf import store
from runtime.dynconf.models import DynamicValue
from runtime.dynconf.watching import FILE
from runtime.identity.tokens import issue
from tests.runtime.calls.processes import Process
from tests.together import wait_until

DEFAULT = "600"


@pytest.fixture
def start(tmp_path: Path, committed) -> Iterator[Callable[..., Process]]:
    started = []

    def start(name: str, *, port: int | None = None, **environ: str) -> Process:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        given = {"DJANGO_SETTINGS_MODULE": "config.settings", "RATE_LIMIT_USER": "600/1m", **environ}
        started.append(Process(folder, port=port, **given))
        return started[-1]

    yield start
    for each in reversed(started):
        each.kill()


@pytest.fixture
def users(start) -> Process:
    return start("users", DOMAINS="users,inventory,payments", WEB_WORKERS="2")


@pytest.fixture
def orders(start, users) -> Process:
    return start("orders", DOMAINS="orders", **addresses(users))


def addresses(users: Process) -> dict[str, str]:
    return {f"{domain}_URL": f"http://127.0.0.1:{users.port}" for domain in ("USERS", "INVENTORY", "PAYMENTS")}


def limit(web: Process) -> str:
    """How often a signed-in user may ask, as this process counts it."""
    answer = urllib3.request(
        "GET",
        # Whoever is signed in is counted where a request leads somewhere.
        f"http://127.0.0.1:{web.public}/api/{'orders' if web.folder.name == 'orders' else 'payments'}",
        headers={"Authorization": f"Bearer {issue(user_id=new_id(), roles=['customer'])}"},
        retries=False,
        timeout=30.0,
    )
    return answer.headers["RateLimit-Policy"].partition("q=")[2].partition(";")[0]


def everywhere(web: Process) -> set[str]:
    """As several of its workers count it."""
    return {limit(web) for _ in range(12)}


def place(web: Process) -> tuple[int, str]:
    answer = urllib3.request(
        "POST",
        f"http://127.0.0.1:{web.public}/api/orders",
        json={"items": [{"sku": "NONE-1", "quantity": 1}], "paymentMethod": "pm_card_visa"},
        headers={
            "Authorization": f"Bearer {issue(user_id=new_id(), roles=['customer'])}",
            "Idempotency-Key": str(new_id()),
        },
        retries=False,
        timeout=30.0,
    )
    return answer.status, answer.json()["code"]


def test_a_change_is_everywhere_within_seconds_and_so_is_its_end(users, orders):
    assert everywhere(users) == everywhere(orders) == {DEFAULT}
    assert place(orders) == (400, "unknown_sku")

    began = time.monotonic()
    store.change(key="limits.user", text="77/1m")
    store.change(key="orders.accepting", text="off")
    wait_until(lambda: everywhere(users) == {"77"})
    wait_until(lambda: everywhere(orders) == {"77"})
    wait_until(lambda: place(orders) == (503, "not_accepting_orders"))
    took = time.monotonic() - began
    store.change(key="limits.user", text=None)
    store.change(key="orders.accepting", text=None)
    wait_until(lambda: everywhere(orders) == everywhere(users) == {DEFAULT})
    wait_until(lambda: place(orders) == (400, "unknown_sku"))

    assert took < 25


def test_what_was_known_last_stays_through_an_outage_and_a_restart(start, users, orders):
    store.change(key="limits.user", text="77/1m")
    wait_until(lambda: everywhere(orders) == {"77"})

    users.kill()
    assert everywhere(orders) == {"77"}
    orders.kill()
    assert json.loads((orders.folder / FILE).read_text()) == {"version": 1, "values": {"limits.user": "77/1m"}}
    again = start("orders", DOMAINS="orders", **addresses(users))

    assert everywhere(again) == {"77"}


def test_a_process_hears_of_changes_again_after_the_outage(start, users, orders):
    store.change(key="limits.user", text="77/1m")
    wait_until(lambda: everywhere(orders) == {"77"})
    users.kill()
    store.change(key="limits.user", text="78/1m")

    start("users", DOMAINS="users,inventory,payments", port=users.port)

    wait_until(lambda: everywhere(orders) == {"78"}, limit=40)


def listeners(then: str = "pid") -> int:
    """How many workers listen to the table; ``then`` is what is done with each."""
    with connections["users"].cursor() as cursor:
        cursor.execute(
            f"SELECT count({then}) FROM pg_stat_activity"
            # Other tests' processes listen on the same server, as the same role.
            " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            " AND query LIKE '%dynconf%'"
        )
        return int(cursor.fetchone()[0])


def test_a_database_that_is_away_for_a_moment_is_listened_to_again(users):
    wait_until(lambda: listeners() == 2)
    assert listeners("pg_terminate_backend(pid)") == 2

    store.change(key="limits.user", text="77/1m")

    wait_until(lambda: everywhere(users) == {"77"}, limit=30)


def test_a_bad_value_in_the_table_is_applied_nowhere(users, orders):
    store.change(key="limits.user", text="77/1m")
    wait_until(lambda: everywhere(users) == everywhere(orders) == {"77"})

    DynamicValue.objects.using("users").filter(key="limits.user").update(text="very often", version=2)
    store.change(key="orders.accepting", text="off")
    wait_until(lambda: place(orders) == (503, "not_accepting_orders"))

    assert everywhere(users) == everywhere(orders) == {"77"}
    assert "limits.user='very often' cannot be used" in orders.log


def test_a_file_that_was_cut_short_is_nothing_to_go_by(start, users, tmp_path):
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / FILE).write_text('{"version": 3, "val')

    orders = start("orders", DOMAINS="orders", **addresses(users))

    assert everywhere(orders) == {DEFAULT}
    store.change(key="limits.user", text="77/1m")
    wait_until(lambda: everywhere(orders) == {"77"})


def test_a_web_server_whose_values_are_waited_for_ends_in_time(users, orders):
    wait_until(lambda: "route=/internal/config status=304" in users.log)
    began = time.monotonic()

    users.terminate()
    users.await_end()

    assert time.monotonic() - began < 9
