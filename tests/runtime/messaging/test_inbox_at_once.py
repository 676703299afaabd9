"""The same event in several hands at once, and in hands that die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from contracts._base import new_id
from runtime.databases.clock import Now, database_time
from runtime.messaging import inbox
from runtime.messaging.envelope import Envelope, write
from runtime.messaging.inbox import Turn
from runtime.messaging.models import InboxMessage
from tests.effects import seen
from tests.together import together

ROOT = Path(__file__).resolve().parents[3]

IN_A_PROCESS_OF_ITS_OWN = """
import json, sys
import django
django.setup()
from runtime.messaging import inbox
from runtime.messaging.envelope import read
inbox.receive(read(json.load(sys.stdin)), consumer="inventory")
print("done")
"""


def event(thing: str = "a", number: int = 1, wish: str = "", *, after: int | None = None) -> Envelope:
    return Envelope(
        event_id=new_id(),
        event_type="Happened",
        version=1,
        timestamp=database_time("orders"),
        source="orders",
        subject=thing,
        sequence=number,
        data={"thing": thing, "number": number, "wish": wish},
        after={} if after is None else {"inventory": after},
    )


def take_in(envelope: Envelope) -> None:
    inbox.receive(envelope, consumer="inventory")


def take_in_elsewhere(envelope: Envelope, **environ: str) -> subprocess.CompletedProcess[str]:
    settings = "tests.runtime.messaging.worker_settings"
    return subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN],
        input=json.dumps(write(envelope)),
        env={**os.environ, "DJANGO_SETTINGS_MODULE": settings, **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def row_of(envelope: Envelope) -> Any:
    return InboxMessage.objects.using("inventory").get(event_id=envelope.event_id)


@pytest.mark.parametrize("copies", [3, 10])
def test_copies_delivered_at_once_have_one_effect(world, copies):
    envelope = event()

    together(*[partial(take_in, envelope)] * copies)

    assert seen("inventory") == ["a:1"]
    assert row_of(envelope).handled_at is not None
    assert row_of(envelope).attempts == 1


def test_copies_of_an_event_whose_first_handler_fails_have_one_effect(world):
    envelope = event(wish="raise once")

    together(*[partial(take_in, envelope)] * 4)
    assert (row_of(envelope).attempts, seen("inventory")) == (1, [])
    together(*[partial(inbox.retry, Turn(envelope.event_id, 1), consumer="inventory")] * 4)

    assert seen("inventory") == ["a:1"]
    assert (row_of(envelope).error, row_of(envelope).handled_at is None, row_of(envelope).attempts) == (None, False, 2)


def test_events_of_one_aggregate_taken_in_at_once_in_any_order_are_handled_in_theirs(world):
    envelopes = [event("a", number, after=number - 1 or None) for number in range(1, 9)]

    together(*[partial(take_in, envelope) for envelope in reversed(envelopes)])
    while InboxMessage.objects.using("inventory").filter(handled_at=None).exists():
        inbox.wake(consumer="inventory")
        for turn in inbox.take_due(consumer="inventory", limit=10):
            inbox.retry(turn, consumer="inventory")

    assert seen("inventory") == [f"a:{number}" for number in range(1, 9)]


def test_what_is_due_is_given_to_one_of_several_callers(world):
    envelopes = [event(f"t{number}", 1, wish="raise") for number in range(30)]
    for envelope in envelopes:
        take_in(envelope)
    InboxMessage.objects.using("inventory").update(due_at=Now())

    answers = together(*[partial(inbox.take_due, consumer="inventory", limit=8)] * 6)

    taken = [turn.event_id for answer in answers for turn in answer]
    assert len(taken) == len(set(taken))
    rest = [turn.event_id for turn in inbox.take_due(consumer="inventory", limit=100)]
    assert sorted(taken + rest) == sorted(envelope.event_id for envelope in envelopes)


@pytest.mark.parametrize("by", ["the handler", "consumer.after_receive", "consumer.after_effect_before_commit"])
def test_a_worker_that_dies_over_an_event_is_counted_and_leaves_no_half_effect(world, by):
    envelope = event(wish="die once" if by == "the handler" else "")
    died = take_in_elsewhere(envelope, **({} if by == "the handler" else {"CRASH_AT": by}))

    assert died.returncode == -signal.SIGKILL, died.stderr
    row = row_of(envelope)
    assert (row.attempts, row.handled_at) == (1, None)
    assert seen("inventory") == []

    # The broker gives it out again at once; it is run again when the worker that died may have ended.
    assert take_in_elsewhere(envelope).stdout == "done\n"
    assert (row_of(envelope).attempts, seen("inventory")) == (1, [])
    InboxMessage.objects.using("inventory").update(due_at=Now())
    assert take_in_elsewhere(envelope).stdout == "done\n"
    assert (row_of(envelope).attempts, row_of(envelope).handled_at is None) == (2, False)
    assert seen("inventory") == ["a:1"]


def test_a_worker_that_dies_after_the_commit_and_before_it_says_so_had_its_effect(world):
    envelope = event()

    assert take_in_elsewhere(envelope, CRASH_AT="consumer.after_commit_before_ack").returncode == -signal.SIGKILL
    assert take_in_elsewhere(envelope).stdout == "done\n"

    assert seen("inventory") == ["a:1"]
    assert row_of(envelope).attempts == 1
