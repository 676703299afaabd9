"""The whole way on RabbitMQ with real processes that are killed and stopped: two relays, a worker, an inbox."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from config.environment import DOMAINS
from config.supervision.processes import process_specs
from runtime.databases.clock import Now
from runtime.messaging import deadletters, publish
from runtime.messaging.models import InboxMessage, OutboxMessage
from tests import effects
from tests.runtime.messaging.conftest import forget_the_table
from tests.runtime.messaging.small_world import Happened
from tests.together import wait_until

pytestmark = [pytest.mark.xdist_group("rabbit"), pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Processes:
    marks: Path
    started: dict[str, subprocess.Popen[bytes]]

    def pid(self, name: str) -> int:
        return self.started[name].pid


@pytest.fixture(scope="module")
def processes(rabbit, django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Processes]:
    folder = tmp_path_factory.mktemp("rabbit-worker")
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.runtime.messaging.worker_settings",
        "SMALL_WORLD_MARKS": str(folder),
        "BROKER_URL": rabbit.new_vhost(),
        "EVENT_ATTEMPTS": "3",
    }
    (worker,) = [spec.command for spec in process_specs([DOMAINS], folder) if spec.role == "worker"]
    relay = (sys.executable, "manage.py", "relay")
    with django_db_blocker.unblock(), effects.tables("inventory", "payments"), (folder / "log").open("wb") as log:
        started = {
            name: subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log, start_new_session=True)
            for name, command in {"worker": worker, "relay": relay, "other relay": relay}.items()
        }
        try:
            yield Processes(folder, started)
        finally:
            for process in started.values():
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)


@pytest.fixture
def small(processes, committed, monkeypatch) -> Iterator[Processes]:
    """The tests publish as the small world's orders would."""
    monkeypatch.setattr(settings, "SUBSCRIPTIONS", "tests.runtime.messaging.small_world.SUBSCRIPTIONS")
    forget_the_table()
    (processes.marks / "mended").unlink(missing_ok=True)
    yield processes
    (processes.marks / "mended").touch()
    wait_until(lambda: not unfinished("inventory") and not unfinished("payments"), limit=30)
    forget_the_table()


def tell(thing: str, number: int, wish: str = "") -> None:
    with transaction.atomic(using="orders"):
        publish(Happened(thing=thing, number=number, wish=wish), using="orders")


def unfinished(consumer: str) -> Any:
    return InboxMessage.objects.using(consumer).filter(handled_at=None, parked_at=None).exists()


def of(thing: str, consumer: str = "inventory") -> list[str]:
    return [name for name in effects.seen(consumer) if name.startswith(f"{thing}:")]


def test_an_event_that_kills_its_worker_is_parked_its_neighbours_flow_and_replayed_it_has_its_effect_once(small):
    tell("warm", 1)
    wait_until(lambda: of("warm"), limit=40)
    tell("poison", 1, "die until mended")
    tell("poison", 2)
    slowest, number = 0.0, 0
    while not deadletters.parked(consumer="inventory").exists():
        number += 1
        told = time.monotonic()
        tell("neighbour", number)
        wait_until(lambda: len(of("neighbour")) == number, limit=20)  # noqa: B023 - waited for within the round
        slowest = max(slowest, time.monotonic() - told)
        assert number < 3000

    assert slowest < 5.0
    assert number > 10
    (row,) = deadletters.parked(consumer="inventory")
    assert (row.subject, row.sequence, row.error) == ("poison", 1, "It ended the process that ran it, 3 times.")
    assert of("poison") == []
    assert of("poison", "payments") == ["poison:1", "poison:2"]

    (small.marks / "mended").touch()
    call_command("dead_letters", "replay", str(row.event_id), "--domain", "inventory", "--reason", "Mended.")
    wait_until(lambda: len(of("poison")) == 2, limit=20)
    assert of("poison") == ["poison:1", "poison:2"]
    assert of("neighbour") == [f"neighbour:{n}" for n in range(1, number + 1)]


def test_a_relay_that_is_stopped_after_its_claim_and_wakes_up_after_its_lease_puts_nothing_out_of_order(small):
    number = 0
    while True:
        number += 1
        for thing in "xyz":
            tell(thing, number)
        os.killpg(small.pid("relay"), signal.SIGSTOP)
        # Stopped inside its claim it holds the other one up until PostgreSQL ends its transaction, after 10 s.
        wait_until(all_claims_are_held_or_done, limit=40)
        if claimed():
            break
        os.killpg(small.pid("relay"), signal.SIGCONT)
        assert number < 400
    held = claimed()
    for more in range(number + 1, number + 6):
        for thing in "xyz":
            tell(thing, more)
    wait_until(lambda: not claimed(held) and not waiting(), limit=120)
    os.killpg(small.pid("relay"), signal.SIGCONT)
    tell("x", number + 6)
    consumers = ("inventory", "payments")
    ends = [("x", number + 6), ("y", number + 5), ("z", number + 5)]
    wait_until(lambda: all(len(of(one, each)) == n for each in consumers for one, n in ends), limit=120)

    for consumer in consumers:
        assert of("x", consumer) == [f"x:{n}" for n in range(1, number + 7)]
        for thing in "yz":
            assert of(thing, consumer) == [f"{thing}:{n}" for n in range(1, number + 6)]


def waiting() -> Any:
    return OutboxMessage.objects.using("orders").filter(published_at=None)


def claimed(ids: set[Any] | None = None) -> set[Any]:
    """What is not sent and not due: a relay has it."""
    rows = waiting().filter(due_at__gt=Now())
    return set((rows if ids is None else rows.filter(event_id__in=ids)).values_list("event_id", flat=True))


def all_claims_are_held_or_done() -> bool:
    """The relay that runs has done its part: what is claimed still is the other one's, and has been for a second."""
    before = claimed()
    time.sleep(0.3)
    return claimed() == before and (not waiting().exists() or bool(before))
