"""While the broker is away events stay where they are, nobody is blamed, and all go out once it is back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction

from runtime.databases.clock import database_time
from runtime.messaging import broker, publish
from runtime.messaging.models import OutboxMessage
from runtime.messaging.relay import Relay
from tests.runtime.messaging import wire
from tests.runtime.messaging.small_world import Happened
from tests.together import shift_clock, wait_until

ROOT = Path(__file__).resolve().parents[3]

ONE_BATCH = """
import django
django.setup()
from config.celery import app
from runtime.messaging.relay import Relay
Relay(app=app, domain="orders").publish_batch()
"""


@pytest.fixture
def cable() -> Iterator[wire.Wire]:
    cable = wire.Wire()
    yield cable
    cable.cut()


def tell(thing: str, number: int) -> None:
    with transaction.atomic(using="orders"):
        publish(Happened(thing=thing, number=number), using="orders")


def numbers(consumer: str = "inventory") -> list[int]:
    return [event["data"]["number"] for event in wire.events(consumer)]


def rows() -> list[OutboxMessage]:
    return list(OutboxMessage.objects.using("orders").order_by("subject", "sequence"))


def nobody_was_blamed() -> bool:
    """No row counts an attempt or waits: it was the broker's fault and not theirs."""
    now = database_time("orders")
    return all((row.attempts, row.error, row.published_at) == (0, None, None) and row.due_at <= now for row in rows())


def test_a_broker_that_is_away_from_the_start_gets_everything_when_it_comes(world, cable):
    tell("a", 1)
    relay = Relay(app=cable.app(), domain="orders")

    assert relay.publish_batch() is False
    assert relay.publish_batch() is False
    assert nobody_was_blamed()

    cable.mend()
    wait_until(lambda: relay.publish_batch() or rows()[0].published_at)
    assert numbers() == [1]


def test_a_broker_that_goes_away_in_between_gets_everything_when_it_is_back(world, cable):
    cable.mend()
    relay = Relay(app=cable.app(), domain="orders")
    tell("a", 1)
    relay.publish_batch()
    assert numbers() == [1]

    cable.cut()
    for thing in "abc":
        tell(thing, 2)
    OutboxMessage.objects.using("orders").filter(data__number=1).delete()
    assert relay.publish_batch() is False
    assert relay.publish_batch() is False
    assert nobody_was_blamed()

    cable.mend()
    wait_until(lambda: relay.publish_batch() or all(row.published_at for row in rows()))
    assert numbers() == [2, 2, 2]


def test_a_broker_that_comes_back_with_nothing_is_told_again_who_wants_what(world, cable):
    cable.mend()
    relay = Relay(app=cable.app(), domain="orders")
    tell("a", 1)
    relay.publish_batch()

    cable.cut()
    wire.empty_broker()
    tell("a", 2)
    relay.publish_batch()
    cable.mend()
    wait_until(lambda: relay.publish_batch() or all(row.published_at for row in rows()))

    assert numbers() == [2]
    assert numbers("payments") == [2]


def test_what_was_sent_before_the_broker_went_is_marked_and_the_rest_waits(world, cable, monkeypatch):
    cable.mend()
    relay = Relay(app=cable.app(), domain="orders")
    for number in (1, 2, 3):
        tell("a", number)

    def write_and_cut(envelope):
        if envelope.sequence == 2:
            cable.cut()
        return write(envelope)

    write = broker.write
    with monkeypatch.context() as patched:
        patched.setattr(broker, "write", write_and_cut)
        assert relay.publish_batch() is False

    assert [row.published_at is None for row in rows()] == [False, True, True]
    assert [row.attempts for row in rows()] == [1, 0, 0]
    assert all(row.due_at <= row.created_at + timedelta(seconds=1) for row in rows() if row.published_at is None)

    cable.mend()
    wait_until(lambda: relay.publish_batch() or all(row.published_at for row in rows()))
    assert numbers() == [1, 2, 3]


def test_a_relay_that_dies_between_sending_and_marking_is_followed_by_one_that_sends_the_same_again(world):
    tell("a", 1)
    tell("a", 2)
    settings = "tests.runtime.messaging.worker_settings"
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": settings, "CRASH_AT": "relay.after_publish_before_mark"}
    command = [sys.executable, "-c", ONE_BATCH]
    died = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL, died.stderr
    sent = wire.events("inventory")
    assert [event["sequence"] for event in sent] == [1, 2]
    assert [(row.attempts, row.error, row.published_at) for row in rows()] == [(0, None, None)] * 2
    shift_clock("orders", "11 seconds")  # its lease is over

    follower = Relay(app=wire.direct(), domain="orders")
    wait_until(lambda: follower.publish_batch() or all(row.published_at for row in rows()))

    assert wire.events("inventory") == sent
