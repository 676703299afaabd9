"""An event has one effect on a consumer, however often it comes and whatever the handler does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from contracts._base import new_id
from runtime.databases.clock import Now, database_time
from runtime.messaging import Handlers, inbox, publish
from runtime.messaging.envelope import Envelope, MalformedEnvelope, read
from runtime.messaging.models import InboxMessage, OutboxMessage
from runtime.messaging.subscriptions import handlers_of
from runtime.messaging.tasks import deliver
from tests.effects import seen
from tests.runtime.messaging.small_world import Happened, name_of
from tests.together import shift_clock


def event(thing: str = "a", sequence: int = 1, *, source: str = "orders", **more: Any) -> Envelope:
    fields = {
        "event_id": new_id(),
        "event_type": "Happened",
        "version": 1,
        "timestamp": database_time("orders"),
        "source": source,
        "subject": thing,
        "sequence": sequence,
        "data": {"thing": thing, "number": sequence, "wish": more.pop("wish", "")},
        **more,
    }
    return Envelope(**fields)


def take_in(envelope: Envelope, consumer: str = "inventory") -> bool:
    return inbox.receive(envelope, consumer=consumer)


def row_of(envelope: Envelope, consumer: str = "inventory") -> InboxMessage:
    return InboxMessage.objects.using(consumer).get(event_id=envelope.event_id)


def retry(envelope: Envelope, consumer: str = "inventory") -> bool:
    return inbox.retry(envelope.event_id, consumer=consumer)


def seconds_until_due(envelope: Envelope) -> float:
    return (row_of(envelope).due_at - database_time("inventory")).total_seconds()


# --- Once -----------------------------------------------------------------------------------------------------------


def test_the_second_copy_of_an_event_does_nothing(world):
    envelope = event()

    assert [take_in(envelope), take_in(envelope), take_in(envelope)] == [True, True, True]

    assert seen("inventory") == ["a:1"]
    row = row_of(envelope)
    assert (row.attempts, row.error, row.handled_at is None) == (1, None, False)
    assert read(row.envelope) == envelope


def test_each_consumer_has_its_own_effect_of_an_event(world):
    envelope = event()

    take_in(envelope, "inventory")
    take_in(envelope, "payments")

    assert seen("inventory") == seen("payments") == ["a:1"]


def test_the_worker_gives_an_event_to_each_subscriber_hosted_here_and_to_nobody_else(world, settings):
    settings.HOSTED_DOMAINS = ("users", "inventory")
    envelope = event()

    deliver(event=inbox.write(envelope))
    deliver(event=inbox.write(envelope))

    assert seen("inventory") == ["a:1"]
    assert seen("payments") == []
    assert not InboxMessage.objects.using("payments").exists()
    assert not InboxMessage.objects.using("users").exists()


def test_an_event_that_nobody_subscribes_to_is_let_go(world):
    deliver(event=inbox.write(event(event_type="SomethingElse")))

    assert not InboxMessage.objects.using("inventory").exists()


def test_retrying_what_was_handled_or_never_came_does_nothing(world):
    envelope = event()
    take_in(envelope)

    assert retry(envelope) is True
    assert inbox.retry(uuid4(), consumer="inventory") is True

    assert seen("inventory") == ["a:1"]
    assert InboxMessage.objects.using("inventory").count() == 1


# --- A handler that fails -------------------------------------------------------------------------------------------


def test_a_handler_that_fails_leaves_no_effect_and_no_mark_and_is_tried_again_once_due(world):
    envelope = event(wish="raise once")

    assert take_in(envelope) is False

    row = row_of(envelope)
    assert (row.handled_at, row.attempts, row.error) == (None, 1, "ZeroDivisionError: raise once")
    assert seen("inventory") == []
    assert 0 < seconds_until_due(envelope) <= 1.0

    assert retry(envelope) is True
    assert retry(envelope) is True
    row = row_of(envelope)
    assert (row.handled_at is None, row.attempts, row.error) == (False, 2, None)
    assert seen("inventory") == ["a:1"]


def test_what_a_failing_handler_published_was_never_told(world, monkeypatch):
    def publish_and_fail(event: Happened) -> None:
        publish(Happened(thing="told", number=1), using="inventory")
        raise ZeroDivisionError

    monkeypatch.setattr("apps.inventory.handlers.HANDLERS", Handlers({Happened: publish_and_fail}))
    handlers_of.cache_clear()

    assert take_in(event()) is False

    assert not OutboxMessage.objects.using("inventory").exists()


def test_the_waits_between_tries_grow_and_never_exceed_fifteen_seconds(world):
    envelope = event(wish="raise")
    waits = []
    for _ in range(8):
        take_in(envelope)
        waits.append(seconds_until_due(envelope))

    assert waits[0] <= 1.0
    assert waits[3] > 2.0
    assert max(waits) <= 15.0
    assert min(waits[5:]) > 7.0
    assert (row_of(envelope).attempts, seen("inventory")) == (8, [])


def test_a_commit_that_reports_failure_after_it_committed_has_its_effect_once(world, monkeypatch):
    def handle(event: Happened) -> None:
        from tests.effects import leave

        leave("inventory", name_of(event))
        transaction.on_commit(_lose_the_answer, using="inventory")

    def _lose_the_answer() -> None:
        raise ConnectionResetError("the answer to the commit was lost")

    monkeypatch.setattr("apps.inventory.handlers.HANDLERS", Handlers({Happened: handle}))
    handlers_of.cache_clear()
    envelope = event()

    assert take_in(envelope) is False
    assert row_of(envelope).handled_at is not None
    assert retry(envelope) is True
    assert take_in(envelope) is True

    assert seen("inventory") == ["a:1"]


# --- What cannot be understood --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"version": 2}, "UnknownVersion: Happened has version 2, not 1"),
        ({"data": {"thing": "a"}}, "NotDecodable: Object missing required field `number`"),
        ({"data": {"thing": "a", "number": "one", "wish": ""}}, "NotDecodable: Expected `int`, got `str`"),
        ({"event_type": "Unheard"}, "KeyError: 'Unheard'"),
    ],
)
def test_what_cannot_be_understood_is_kept_with_the_reason_and_has_no_effect(world, change, error):
    envelope = event(**change)

    assert take_in(envelope) is False

    row = row_of(envelope)
    assert (row.handled_at, row.attempts) == (None, 1)
    assert row.error.startswith(error)
    assert read(row.envelope) == envelope
    assert seen("inventory") == []


def test_once_it_can_be_understood_it_is_handled_from_the_kept_copy(world, monkeypatch):
    envelope = event(version=2)
    take_in(envelope)
    monkeypatch.setattr(Happened, "version", 2)

    assert retry(envelope) is True

    assert seen("inventory") == ["a:1"]


def test_fields_that_a_newer_sender_added_do_no_harm(world):
    envelope = event()
    message = {**inbox.write(envelope), "newer": 1, "data": {**envelope.data, "newer": {"x": 1}}}

    deliver(event=message)

    assert seen("inventory") == ["a:1"]


@pytest.mark.parametrize("message", [{}, {"eventId": "x"}, [], "text", None])
def test_a_message_that_is_no_envelope_is_named_as_such(message):
    with pytest.raises(MalformedEnvelope):
        read(message)


# --- Order ----------------------------------------------------------------------------------------------------------


def test_a_later_event_of_the_same_aggregate_waits_behind_one_that_is_not_handled(world):
    first, second, neighbour = event("a", 1, wish="raise once"), event("a", 2), event("b", 1)

    assert take_in(first) is False
    assert take_in(second) is False
    assert take_in(neighbour) is True

    assert seen("inventory") == ["b:1"]
    assert row_of(second).handled_at is None
    assert row_of(second).error is None
    assert 0 < seconds_until_due(second) <= 1.0

    assert retry(second) is False
    assert retry(first) is True
    assert retry(second) is True
    assert seen("inventory") == ["b:1", "a:1", "a:2"]


def test_an_earlier_event_does_not_wait_for_a_later_one(world):
    take_in(event("a", 2, wish="raise"))

    assert take_in(event("a", 1)) is True


def test_the_same_subject_of_another_source_is_another_aggregate(world):
    take_in(event("a", 1, wish="raise", source="orders"))

    assert take_in(event("a", 2, source="payments")) is True


# --- Coming due -----------------------------------------------------------------------------------------------------


def test_what_is_due_is_taken_once_and_again_only_after_its_run_may_have_ended(world):
    failed, handled = event("a", 1, wish="raise"), event("b", 1)
    take_in(failed)
    take_in(handled)

    assert inbox.take_due(consumer="inventory", limit=10) == []
    shift_clock("inventory", "2 seconds")
    assert inbox.take_due(consumer="inventory", limit=10) == [failed.event_id]
    assert inbox.take_due(consumer="inventory", limit=10) == []
    shift_clock("inventory", "31 seconds")
    assert inbox.take_due(consumer="inventory", limit=10) == []
    shift_clock("inventory", "33 seconds")
    assert inbox.take_due(consumer="inventory", limit=10) == [failed.event_id]


def test_no_more_is_taken_than_was_asked_for_and_what_waits_longest_goes_first(world):
    envelopes = [event(thing, 1, wish="raise") for thing in "abc"]
    for age, envelope in enumerate(envelopes):
        take_in(envelope)
        due = Now() - timedelta(seconds=age + 1)
        InboxMessage.objects.using("inventory").filter(event_id=envelope.event_id).update(due_at=due)

    taken = inbox.take_due(consumer="inventory", limit=2)

    assert taken == [envelopes[2].event_id, envelopes[1].event_id]


def test_while_a_handler_runs_its_event_is_not_due_for_others(world, monkeypatch):
    due: list[timedelta] = []

    def look(event: Happened) -> None:
        row = InboxMessage.objects.using("inventory").get()
        due.append(row.due_at - database_time("inventory"))

    monkeypatch.setattr("apps.inventory.handlers.HANDLERS", Handlers({Happened: look}))
    handlers_of.cache_clear()
    take_in(event())

    assert timedelta(seconds=25) < due[0] <= timedelta(seconds=30)
