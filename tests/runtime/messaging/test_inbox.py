"""An event has one effect on a consumer, however often it comes and whatever the handler does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from contracts._base import new_id
from runtime.audit.models import AuditEntry
from runtime.databases.clock import Now, database_time
from runtime.messaging import Handlers, deadletters, inbox, publish
from runtime.messaging.envelope import Envelope, MalformedEnvelope, read, write
from runtime.messaging.inbox import Turn
from runtime.messaging.models import InboxMessage, OutboxMessage
from runtime.messaging.subscriptions import handlers_of
from runtime.messaging.tasks import deliver
from tests.effects import leave, seen
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
    """Whether it is handled now."""
    inbox.receive(envelope, consumer=consumer)
    return row_of(envelope, consumer).handled_at is not None


def row_of(envelope: Envelope, consumer: str = "inventory") -> InboxMessage:
    return InboxMessage.objects.using(consumer).get(event_id=envelope.event_id)


def retry(envelope: Envelope, consumer: str = "inventory") -> bool:
    """As a nudge does that comes just now. Whether it is handled then."""
    inbox.retry(Turn(envelope.event_id, row_of(envelope, consumer).attempts), consumer=consumer)
    return row_of(envelope, consumer).handled_at is not None


def seconds_until_due(envelope: Envelope) -> float:
    due = row_of(envelope).due_at
    assert due is not None
    return (due - database_time("inventory")).total_seconds()


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

    deliver(event=write(envelope))
    deliver(event=write(envelope))

    assert seen("inventory") == ["a:1"]
    assert seen("payments") == []
    assert not InboxMessage.objects.using("payments").exists()
    assert not InboxMessage.objects.using("users").exists()


def test_an_event_that_nobody_subscribes_to_is_let_go(world):
    deliver(event=write(event(event_type="Ignored", data={"thing": "a"})))

    assert not InboxMessage.objects.using("inventory").exists()


def test_retrying_what_was_handled_or_never_came_does_nothing(world):
    envelope = event()
    take_in(envelope)

    assert retry(envelope) is True
    inbox.retry(Turn(uuid4(), 0), consumer="inventory")

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


def test_the_waits_between_tries_grow_and_never_exceed_fifteen_seconds(world, settings):
    settings.EVENT_ATTEMPTS = 20
    envelope = event(wish="raise")
    waits = []
    for number in range(8):
        _ = retry(envelope) if number else take_in(envelope)
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

    assert take_in(envelope) is True
    assert retry(envelope) is True
    assert take_in(envelope) is True

    assert seen("inventory") == ["a:1"]


# --- Parked -----------------------------------------------------------------------------------------------------------


def test_after_the_last_attempt_an_event_is_parked_with_its_error(world, settings):
    settings.EVENT_ATTEMPTS = 3
    envelope = event(wish="raise")
    take_in(envelope)
    retry(envelope)
    assert row_of(envelope).parked_at is None

    retry(envelope)

    row = row_of(envelope)
    assert (row.attempts, row.due_at, row.handled_at, row.error) == (3, None, None, "ZeroDivisionError: raise")
    assert row.parked_at is not None
    assert (retry(envelope), take_in(envelope), row_of(envelope).attempts) == (False, False, 3)


def test_an_event_whose_runs_all_ended_their_process_is_parked_without_another_run(world, settings):
    settings.EVENT_ATTEMPTS = 3
    envelope = event()
    inbox.note(envelope, consumer="inventory")
    InboxMessage.objects.using("inventory").update(attempts=3)

    assert retry(envelope) is False

    assert row_of(envelope).error == "It ended the process that ran it, 3 times."
    assert row_of(envelope).parked_at is not None
    assert seen("inventory") == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"version": 2}, "NoWayUp: Happened of version 2 is newer than version 1, which is known here"),
        ({"version": 0}, "NoWayUp: Happened of version 0 cannot be brought up to version 1"),
        ({"data": {"thing": "a"}}, "NotDecodable: Object missing required field `number`"),
        ({"data": {"thing": "a", "number": "one", "wish": ""}}, "NotDecodable: Expected `int`, got `str`"),
    ],
)
def test_what_cannot_be_understood_is_parked_at_once_and_has_no_effect(world, change, error):
    envelope = event(**change)

    assert take_in(envelope) is False

    row = row_of(envelope)
    assert (row.handled_at, row.attempts, row.due_at) == (None, 1, None)
    assert row.parked_at is not None
    assert row.error.startswith(error)
    assert read(row.envelope) == envelope
    assert seen("inventory") == []


def test_an_event_of_an_earlier_version_is_brought_up_to_the_one_that_is_known(world, monkeypatch):
    def number_was_called_count(data: dict[str, Any]) -> dict[str, Any]:
        return {"thing": data["thing"], "number": data["count"]}

    handlers = Handlers({Happened: leave_effect}, upcasters={("Happened", 1): number_was_called_count})
    monkeypatch.setattr("apps.inventory.handlers.HANDLERS", handlers)
    monkeypatch.setattr(Happened, "version", 2)
    handlers_of.cache_clear()

    assert take_in(event(version=1, data={"thing": "a", "count": 7})) is True

    assert seen("inventory") == ["a:7"]


def leave_effect(happened: Happened) -> None:
    leave("inventory", name_of(happened))


@pytest.mark.parametrize("message", [{"eventId": "x"}, "text", {"source": "orders"}])
def test_what_is_no_envelope_is_parked_once_with_whoever_may_have_been_meant(world, message):
    deliver(event=message)
    deliver(event=message)

    (row,) = deadletters.parked(consumer=hosted_first(message))
    assert (row.event_type, row.attempts) == ("(unreadable)", 0)
    assert row.error.startswith("MalformedEnvelope: ")
    assert row.envelope == {"raw": message if isinstance(message, str) else json.dumps(message)}


def hosted_first(message: Any) -> str:
    return "inventory" if isinstance(message, dict) and message.get("source") == "orders" else "users"


def test_an_event_of_an_unknown_name_is_parked_and_not_let_go(world):
    deliver(event=write(event(event_type="NeverHeardOf")))

    for consumer in ("inventory", "payments"):
        (row,) = deadletters.parked(consumer=consumer)
        assert row.error == "NeverHeardOf is the name of no event that is known here."


def test_fields_that_a_newer_sender_added_do_no_harm(world):
    envelope = event()
    message = {**write(envelope), "newer": 1, "data": {**envelope.data, "newer": {"x": 1}}}

    deliver(event=message)

    assert seen("inventory") == ["a:1"]


@pytest.mark.parametrize("message", [{}, {"eventId": "x"}, [], "text", None])
def test_a_message_that_is_no_envelope_is_named_as_such(message):
    with pytest.raises(MalformedEnvelope):
        read(message)


# --- Order ----------------------------------------------------------------------------------------------------------


def test_a_later_event_of_the_same_aggregate_waits_for_one_that_is_not_handled_and_follows_it(world):
    first, second, third = event("a", 1, wish="raise once"), follows("a", 2, 1), follows("a", 3, 2)

    assert [take_in(first), take_in(third), take_in(second), take_in(event("b", 1))] == [False, False, False, True]

    assert seen("inventory") == ["b:1"]
    assert [(row_of(each).due_at, row_of(each).attempts, row_of(each).error) for each in (second, third)] == [
        (None, 0, None)
    ] * 2
    assert retry(first) is True
    assert seen("inventory") == ["b:1", "a:1", "a:2", "a:3"]
    assert [row_of(each).attempts for each in (first, second, third)] == [2, 1, 1]


def test_an_event_that_overtook_another_waits_until_that_one_comes(world):
    second = follows("a", 2, 1)
    assert take_in(second) is False
    assert take_in(second) is False

    assert take_in(event("a", 1)) is True

    assert seen("inventory") == ["a:1", "a:2"]


def test_events_between_two_that_are_none_of_the_consumers_business_are_not_waited_for(world):
    take_in(event("a", 3))

    assert take_in(follows("a", 9, 3)) is True


def test_later_events_wait_behind_a_parked_one_and_go_on_in_order_once_it_is_mended(world, settings, monkeypatch):
    settings.EVENT_ATTEMPTS = 1
    first = event("a", 1, wish="raise")
    assert [take_in(first), take_in(follows("a", 2, 1)), take_in(follows("a", 3, 2))] == [False] * 3
    assert [row.waiting for row in deadletters.parked(consumer="inventory")] == [2]
    monkeypatch.setattr("apps.inventory.handlers.HANDLERS", Handlers({Happened: leave_effect}))
    handlers_of.cache_clear()

    taken = deadletters.replay(first.event_id, decision(), consumer="inventory")
    assert seen("inventory") == []
    (due,) = inbox.take_due(consumer="inventory", limit=10)
    inbox.retry(due, consumer="inventory")

    assert taken.waiting == 2
    assert seen("inventory") == ["a:1", "a:2", "a:3"]
    assert not deadletters.parked(consumer="inventory").exists()


def test_a_parked_event_that_is_given_up_has_no_effect_and_the_later_ones_go_on(world, settings):
    settings.EVENT_ATTEMPTS = 1
    first, second = event("a", 1, wish="raise"), follows("a", 2, 1)
    take_in(first)
    take_in(second)

    deadletters.discard(first.event_id, decision(), consumer="inventory")
    for due in inbox.take_due(consumer="inventory", limit=10):
        inbox.retry(due, consumer="inventory")

    assert seen("inventory") == ["a:2"]
    row = row_of(first)
    assert (row.handled_at is None, row.discarded_at is None, row.error) == (False, False, "ZeroDivisionError: raise")
    assert take_in(first) is True
    assert seen("inventory") == ["a:2"]


def test_what_was_decided_about_a_dead_letter_is_written_down_and_said_twice_is_done_once(world, settings):
    settings.EVENT_ATTEMPTS = 1
    first = event("a", 1, wish="raise")
    take_in(first)
    mine = decision()

    deadletters.discard(first.event_id, mine, consumer="inventory")
    with pytest.raises(deadletters.NotParked):
        deadletters.discard(first.event_id, mine, consumer="inventory")
    with pytest.raises(deadletters.NotParked):
        deadletters.replay(first.event_id, decision(), consumer="inventory")

    (entry,) = AuditEntry.objects.using("inventory").all()
    assert (entry.action, entry.object_id, entry.reason) == ("inventory.discard_event", str(first.event_id), "A test.")
    assert (entry.operator, entry.key) == (mine.operator, mine.key)


def test_what_waits_for_an_event_that_was_handled_meanwhile_is_woken(world):
    second = follows("a", 2, 1)
    take_in(second)
    take_in(event("a", 1))
    # As if the first had been handled in the very moment in which the second one lay down.
    InboxMessage.objects.using("inventory").filter(event_id=second.event_id).update(handled_at=None, due_at=None)

    assert (inbox.wake(consumer="inventory"), inbox.wake(consumer="inventory")) == (1, 0)

    assert [turn.event_id for turn in inbox.take_due(consumer="inventory", limit=9)] == [second.event_id]


def follows(thing: str, sequence: int, before: int, **more: Any) -> Envelope:
    return event(thing, sequence, after={"inventory": before, "payments": before}, **more)


def decision() -> deadletters.Decision:
    return deadletters.Decision(operator=uuid4(), reason="A test.", key=uuid4())


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
    assert inbox.take_due(consumer="inventory", limit=10) == [Turn(failed.event_id, 1)]
    assert inbox.take_due(consumer="inventory", limit=10) == []
    shift_clock("inventory", "6 seconds")
    assert inbox.take_due(consumer="inventory", limit=10) == []
    shift_clock("inventory", "8 seconds")
    assert inbox.take_due(consumer="inventory", limit=10) == [Turn(failed.event_id, 1)]


def test_a_nudge_that_comes_again_after_its_event_was_tried_does_nothing(world):
    failed = event(wish="raise")
    take_in(failed)
    (turn,) = [Turn(failed.event_id, 1)]

    inbox.retry(turn, consumer="inventory")
    inbox.retry(turn, consumer="inventory")

    assert row_of(failed).attempts == 2


def test_a_copy_that_comes_before_the_next_try_is_due_does_nothing(world):
    failed = event(wish="raise")
    take_in(failed)

    take_in(failed)

    assert row_of(failed).attempts == 1


def test_no_more_is_taken_than_was_asked_for_and_what_waits_longest_goes_first(world):
    envelopes = [event(thing, 1, wish="raise") for thing in "abc"]
    for age, envelope in enumerate(envelopes):
        take_in(envelope)
        due = Now() - timedelta(seconds=age + 1)
        InboxMessage.objects.using("inventory").filter(event_id=envelope.event_id).update(due_at=due)

    taken = inbox.take_due(consumer="inventory", limit=2)

    assert [turn.event_id for turn in taken] == [envelopes[2].event_id, envelopes[1].event_id]


def test_while_a_handler_runs_its_event_is_not_due_for_others(world, monkeypatch):
    due: list[timedelta] = []

    def look(event: Happened) -> None:
        row = InboxMessage.objects.using("inventory").get()
        due.append(row.due_at - database_time("inventory"))

    monkeypatch.setattr("apps.inventory.handlers.HANDLERS", Handlers({Happened: look}))
    handlers_of.cache_clear()
    take_in(event())

    assert timedelta(seconds=8) < due[0] <= timedelta(seconds=10)
