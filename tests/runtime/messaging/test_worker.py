"""The whole way with real processes: outbox, relay, Valkey, Celery worker, inbox, handler."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.conf import settings
from django.db import transaction
from kombu import Connection, Producer
from prometheus_client.parser import text_string_to_metric_families

from config.environment import DOMAINS, ENVIRONMENT
from config.supervision.processes import process_specs
from runtime.embedded.launch import free_port
from runtime.messaging import deadletters, publish
from runtime.messaging.models import InboxMessage, OutboxMessage
from tests import effects
from tests.runtime.messaging import wire
from tests.runtime.messaging.conftest import forget_the_table
from tests.runtime.messaging.small_world import Happened
from tests.together import wait_until

pytestmark = pytest.mark.xdist_group("worker")

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Processes:
    """A worker and a relay that live in the small world; the worker reaches inventory's database over a wire."""

    log: Path
    cable: wire.Wire
    doors: dict[str, str]
    """By role: where it is looked after."""

    def said(self) -> str:
        return self.log.read_text()


@pytest.fixture(scope="module")
def processes(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Processes]:
    folder = tmp_path_factory.mktemp("worker")
    wire.empty_broker()
    cable = wire.Wire(to=ENVIRONMENT.databases["inventory"])
    cable.mend()
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.runtime.messaging.worker_settings",
        "SMALL_WORLD_MARKS": str(folder),
        "INVENTORY_DATABASE_URL": cable.url,
    }
    (worker,) = [spec.command for spec in process_specs([DOMAINS], folder) if spec.role == "worker"]
    commands = {"worker": worker, "relay": (sys.executable, "manage.py", "relay")}
    doors = {role: f"127.0.0.1:{free_port()}" for role in commands}
    # As in containers of their own.
    own = {
        role: {"PROBE_BIND": door, "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics" / role)}
        for role, door in doors.items()
    }
    with django_db_blocker.unblock(), effects.tables("inventory", "payments"), (folder / "log").open("wb") as log:
        started = [
            subprocess.Popen(
                command, cwd=ROOT, env={**environ, **own[role]}, stdout=log, stderr=log, start_new_session=True
            )
            for role, command in commands.items()
        ]
        try:
            yield Processes(folder / "log", cable, {role: f"http://{door}" for role, door in doors.items()})
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)
            cable.cut()
    wire.empty_broker()


@pytest.fixture
def small(processes, committed, monkeypatch) -> Iterator[Processes]:
    """The tests publish as the small world's orders would."""
    monkeypatch.setattr(settings, "SUBSCRIPTIONS", "tests.runtime.messaging.small_world.SUBSCRIPTIONS")
    forget_the_table()
    yield processes
    # A second copy must not come when the inbox that would know it is empty.
    wait_until(lambda: not unhandled("inventory") and not unhandled("payments") and wire.is_idle(), limit=30)
    forget_the_table()


def tell(thing: str, number: int, wish: str = "") -> None:
    with transaction.atomic(using="orders"):
        publish(Happened(thing=thing, number=number, wish=wish), using="orders")


def unhandled(consumer: str) -> Any:
    return InboxMessage.objects.using(consumer).filter(handled_at=None, parked_at=None).exists()


def await_effects(consumer: str, *names: str, limit: float = 40) -> None:
    wait_until(lambda: len(effects.seen(consumer)) >= len(names), limit=limit)
    assert sorted(effects.seen(consumer)) == sorted(names)


def attempts(consumer: str, number: int) -> int:
    return InboxMessage.objects.using(consumer).get(envelope__data__number=number).attempts


def test_an_event_has_one_effect_on_each_subscriber(small):
    for number in range(1, 6):
        tell("a", number)
        tell(f"b{number}", 1)

    expected = [*(f"a:{n}" for n in range(1, 6)), *(f"b{n}:1" for n in range(1, 6))]
    await_effects("inventory", *expected)
    await_effects("payments", *expected)
    assert not OutboxMessage.objects.using("orders").filter(published_at=None).exists()


def test_a_handler_that_fails_is_run_again_with_nobodys_help_and_its_effect_comes_once(small):
    tell("c", 1, "raise once")
    tell("c", 2)
    tell("d", 1)

    await_effects("inventory", "c:1", "c:2", "d:1")
    assert effects.seen("inventory").index("c:1") < effects.seen("inventory").index("c:2")
    rows = InboxMessage.objects.using("inventory").filter(subject="c", sequence=1)
    assert rows.get().error is None


def test_a_handler_that_kills_its_worker_process_is_counted_and_run_again_and_others_go_on(small):
    tell("e", 1, "die once")
    for number in range(1, 6):
        tell("f", number)

    await_effects("inventory", *(f"f:{n}" for n in range(1, 6)), "e:1", limit=90)
    row = InboxMessage.objects.using("inventory").get(subject="e")
    assert row.attempts >= 2
    wait_until(lambda: "Worker exited prematurely: signal 9 (SIGKILL)" in small.said())


def test_an_event_that_comes_while_the_consumers_database_is_away_is_not_lost(small):
    small.cable.cut()
    tell("g", 1)
    await_effects("payments", "g:1")
    wait_until(lambda: "goes back to the broker: no database for inventory" in small.said())
    assert effects.seen("inventory") == []

    small.cable.mend()
    await_effects("inventory", "g:1")
    await_effects("payments", "g:1")


def test_what_is_not_json_is_refused_before_any_of_it_runs(small, tmp_path):
    mark = tmp_path / "unpickled"

    class Harmful:
        def __reduce__(self) -> Any:
            return (Path.touch, (mark,))

    with Connection(wire.broker_url()) as connection, connection.channel() as channel:
        body = pickle.dumps(((), {"event": Harmful()}, {}))
        headers = {"task": "mitosis.deliver", "id": "x", "lang": "py", "argsrepr": "", "kwargsrepr": ""}
        Producer(channel).publish(
            body,
            exchange="inventory.tasks",
            routing_key="inventory",
            content_type="application/x-python-serialize",
            content_encoding="binary",
            headers=headers,
        )
    tell("h", 1)

    await_effects("inventory", "h:1")
    wait_until(lambda: deadletters.parked(consumer="inventory").exists())
    (row,) = deadletters.parked(consumer="inventory")
    assert "Refusing to deserialize untrusted content of type pickle" in row.error
    assert not mark.exists()


# --- How it is looked after -----------------------------------------------------------------------------------------


def handled(small: Processes) -> float:
    """By inventory, as the worker tells it at its door."""
    told = urllib3.request("GET", f"{small.doors['worker']}/metrics").data.decode()
    wanted = {"domain": "inventory", "event_type": "Happened", "result": "handled"}
    samples = [each for family in text_string_to_metric_families(told) for each in family.samples]
    return sum(each.value for each in samples if each.name == "mitosis_inbox_tries_total" and each.labels == wanted)


def test_a_worker_tells_at_its_door_what_its_children_have_counted(small):
    before = handled(small)
    for number in range(1, 6):
        tell(f"watched{number}", 1)

    await_effects("inventory", *(f"watched{number}:1" for number in range(1, 6)))
    wait_until(lambda: handled(small) >= before + 5)
    assert handled(small) == before + 5


@pytest.mark.parametrize("role", ["worker", "relay"])
@pytest.mark.parametrize("path", ["live", "startup", "ready", "ready/inventory"])
def test_a_worker_and_a_relay_say_at_their_doors_how_they_are(small, role, path):
    answer = urllib3.request("GET", f"{small.doors[role]}/health/{path}")

    assert (answer.status, answer.json()["status"]) == (200, "healthy")
