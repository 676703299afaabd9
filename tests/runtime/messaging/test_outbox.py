"""An event is written down with the change that made it true, or not at all; its sequence has no gap and no twin."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest
from django.db import transaction
from django.db.utils import IntegrityError

from runtime.messaging import publish
from runtime.messaging.models import EventCounter, OutboxMessage
from runtime.messaging.outbox import PublishOutsideTransaction
from runtime.telemetry.tracing import continue_or_start, working_on
from tests.runtime.messaging.small_world import Happened, Ignored
from tests.together import together, wait_until, waits_for_a_lock

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def tell(thing: str, number: int = 0, **more) -> None:
    with transaction.atomic(using="orders"):
        publish(Happened(thing=thing, number=number), using="orders", **more)


def told() -> list[tuple[str, int, int]]:
    """Subject, sequence and number of each event, by subject and sequence."""
    rows = OutboxMessage.objects.using("orders").order_by("subject", "sequence")
    return [(row.subject, row.sequence, row.data.get("number")) for row in rows]


def test_publishing_outside_a_transaction_is_refused_and_writes_nothing(world):
    with pytest.raises(PublishOutsideTransaction, match=r"Happened was published outside atomic\(using='orders'\)"):
        publish(Happened(thing="a", number=1), using="orders")
    with transaction.atomic(using="payments"), pytest.raises(PublishOutsideTransaction):
        publish(Happened(thing="a", number=1), using="orders")

    assert told() == []


def test_an_event_leaves_with_all_that_it_needs_on_its_way(world):
    trace = continue_or_start(TRACEPARENT)
    with working_on(trace=trace):
        tell("a", 5)

    row = OutboxMessage.objects.using("orders").get()
    assert isinstance(row.event_id, UUID)
    assert row.event_id.version == 7
    assert (row.event_type, row.version, row.exchange, row.routing_key) == ("Happened", 1, "orders", "test.happened")
    assert (row.subject, row.sequence, row.data) == ("a", 1, {"thing": "a", "number": 5, "wish": ""})
    assert row.traceparent == trace.traceparent
    assert (row.wanted, row.published_at, row.attempts, row.error) == (True, None, 0, None)


def test_what_is_rolled_back_was_never_told_and_leaves_no_gap(world):
    def tell_and_fail() -> None:
        with transaction.atomic(using="orders"):
            publish(Happened(thing="a", number=2), using="orders")
            raise ZeroDivisionError

    tell("a", 1)
    with pytest.raises(ZeroDivisionError):
        tell_and_fail()
    tell("a", 3)

    assert told() == [("a", 1, 1), ("a", 2, 3)]


def test_each_subject_counts_for_itself_also_within_one_transaction(world):
    with transaction.atomic(using="orders"):
        for thing in "abaa":
            publish(Happened(thing=thing, number=0), using="orders")

    assert told() == [("a", 1, 0), ("a", 2, 0), ("a", 3, 0), ("b", 1, 0)]


def test_many_writers_of_one_subject_get_each_number_once_also_when_some_give_up(world):
    def write(number: int) -> None:
        for turn in range(5):
            try:
                with transaction.atomic(using="orders"):
                    publish(Happened(thing="a", number=number), using="orders")
                    if turn == number % 5:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass

    together(*[partial(write, number) for number in range(10)])

    assert [sequence for _, sequence, _ in told()] == list(range(1, 41))
    assert EventCounter.objects.using("orders").get().last == 40


@pytest.mark.parametrize(("ends", "expected"), [("commits", [("a", 1, 1), ("a", 2, 2)]), ("gives up", [("a", 1, 2)])])
def test_numbers_are_given_in_the_order_of_commits_and_another_subject_never_waits(world, ends, expected):
    begun: list[bool] = []

    def first() -> None:
        with transaction.atomic(using="orders"):
            publish(Happened(thing="a", number=1), using="orders")
            begun.append(True)
            wait_until(partial(waits_for_a_lock, "orders"))
            together(partial(tell, "b", 7))
            if ends == "gives up":
                raise ZeroDivisionError

    def second() -> None:
        wait_until(lambda: begun)
        tell("a", 2)

    together(first, second)

    assert told() == [*expected, ("b", 1, 7)]


def test_an_event_that_nobody_wants_is_kept_and_marked_as_such(world):
    with transaction.atomic(using="orders"):
        publish(Ignored(thing="a"), using="orders")

    row = OutboxMessage.objects.using("orders").get()
    assert (row.event_type, row.wanted, row.published_at, row.sequence) == ("Ignored", False, None, 1)


def test_where_all_is_to_be_published_also_what_nobody_wants_is_wanted(world, settings):
    settings.PUBLISH_ALL = True
    with transaction.atomic(using="orders"):
        publish(Ignored(thing="a"), using="orders")

    assert OutboxMessage.objects.using("orders").get().wanted is True


def test_a_stream_gives_its_own_sequence_and_no_number_twice(world):
    tell("a", 1, sequence=4)
    assert told() == [("a", 4, 1)]
    assert not EventCounter.objects.using("orders").exists()

    with pytest.raises(IntegrityError, match="outbox_sequence_once"):
        tell("a", 2, sequence=4)
    assert told() == [("a", 4, 1)]
