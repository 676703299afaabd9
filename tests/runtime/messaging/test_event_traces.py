"""An event carries its trace to whoever handles it; each try is a span, and a line in the log."""

from __future__ import annotations

import logging

import pytest
from django.db import transaction

from runtime.messaging import inbox, publish
from runtime.messaging.models import OutboxMessage
from runtime.telemetry.spans import entering
from tests.runtime.messaging.small_world import Happened
from tests.runtime.messaging.test_inbox import event, row_of

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PLACE = "orders:test.happened"


@pytest.fixture
def heard(caplog) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="runtime.messaging.events")
    return caplog


def tries(heard: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    lines = [vars(line) for line in heard.records if line.name == "runtime.messaging.events"]
    return [tuple(line[name] for name in ("event_type", "consumer", "outcome", "attempt")) for line in lines]


def test_what_an_event_leads_to_is_below_its_telling_and_not_below_the_trace_that_runs_it(world, recorded, heard):
    with entering("outer", traceparent=PARENT), transaction.atomic(using="orders"):
        publish(Happened(thing="a", number=1), using="orders")
    row = OutboxMessage.objects.using("orders").get()
    inbox.receive(event(event_id=row.event_id, traceparent=row.traceparent), consumer="inventory")

    outer, create, process = (span for span in recorded() if "db.system.name" not in span.attributes)
    assert (create.name, create.kind, create.parent_id) == (f"create {PLACE}", "producer", outer.span_id)
    assert row.traceparent == f"00-{outer.trace_id}-{create.span_id}-01"
    assert (process.name, process.kind, process.parent_id) == (f"process {PLACE}", "consumer", create.span_id)
    assert process.attributes == {
        "messaging.system": "redis",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": PLACE,
        "messaging.message.id": str(row.event_id),
        "messaging.consumer.group.name": "inventory",
        "mitosis.event.attempt": 1,
        "mitosis.event.outcome": "handled",
    }
    assert tries(heard) == [("Happened", "inventory", "handled", 1)]


def test_a_try_that_fails_says_so_and_why_in_one_word(world, recorded, heard):
    told = event(wish="raise", traceparent=PARENT)
    inbox.receive(told, consumer="inventory")

    (process,) = (span for span in recorded() if span.kind == "consumer")
    assert row_of(told).error
    assert (process.failed, process.attributes["mitosis.event.outcome"]) == (True, "failed")
    assert process.attributes["error.type"] in row_of(told).error
    assert tries(heard) == [("Happened", "inventory", "failed", 1)]


def test_to_wait_for_an_earlier_one_is_no_failure(world, recorded, heard):
    inbox.receive(event(sequence=1, traceparent=PARENT), consumer="inventory")
    inbox.receive(event(sequence=3, after={"inventory": 2}, traceparent=PARENT), consumer="inventory")

    assert [span.failed for span in recorded() if span.kind == "consumer"] == [False, False]
    assert [outcome for _, _, outcome, _ in tries(heard)] == ["handled", "waits"]


def test_an_event_of_a_trace_that_is_not_recorded_leaves_its_line_alone(world, recorded, heard):
    inbox.receive(event(traceparent=f"{PARENT[:-2]}00"), consumer="inventory")

    assert recorded() == []
    assert tries(heard) == [("Happened", "inventory", "handled", 1)]
