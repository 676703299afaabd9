"""Many writers on one stream, each on a connection of its own."""

from __future__ import annotations

from collections import Counter
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from runtime.eventstore.store import AppendOutsideTransaction, VersionConflict, append, load
from tests.runtime.eventstore.facts import TYPES, Counted, Opened
from tests.together import kinds, together, wait_until, waits_for_a_lock


def write(stream: UUID, *events, expected: int) -> None:
    with transaction.atomic(using="orders"):
        append(stream, events, expected_version=expected, using="orders")


def numbers(stream: UUID) -> list[tuple[int, int]]:
    return [(entry.version, entry.event.number) for entry in load(stream, types=TYPES, using="orders")]


def test_appending_outside_a_transaction_is_refused_and_writes_nothing(committed):
    stream = uuid4()

    with pytest.raises(AppendOutsideTransaction, match=f"{stream} was appended to outside atomic"):
        append(stream, [Opened(by="ada")], expected_version=0, using="orders")

    with transaction.atomic(using="payments"), pytest.raises(AppendOutsideTransaction):
        append(stream, [Opened(by="ada")], expected_version=0, using="orders")
    assert load(stream, types=TYPES, using="orders") == []


def test_of_twenty_writers_of_a_new_stream_one_wins(committed):
    stream = uuid4()

    answers = together(*[partial(write, stream, Counted(number=n), expected=0) for n in range(20)])

    assert kinds(answers) == ["NoneType"] + ["VersionConflict"] * 19
    assert numbers(stream) == [(1, answers.index(None))]


def test_twenty_writers_who_load_again_after_a_conflict_leave_twenty_versions_without_a_gap(committed):
    stream = uuid4()

    def insist(number: int) -> int:
        tries = 0
        while True:
            tries += 1
            try:
                write(stream, Counted(number=number), expected=len(load(stream, types=TYPES, using="orders")))
            except VersionConflict:
                continue
            return tries

    tries = together(*[partial(insist, number) for number in range(20)])

    assert [version for version, _ in numbers(stream)] == list(range(1, 21))
    assert Counter(number for _, number in numbers(stream)) == Counter(range(20))
    assert sum(tries) > 20, "nobody ever met another: this shows nothing"


def test_a_writer_who_was_first_and_gave_up_leaves_the_version_to_the_second(committed):
    stream, waiting = uuid4(), []

    def first() -> None:
        with transaction.atomic(using="orders"):
            append(stream, [Counted(number=1)], expected_version=0, using="orders")
            waiting.append(True)
            wait_until(partial(waits_for_a_lock, "orders"))
            raise ZeroDivisionError

    def second() -> None:
        wait_until(lambda: waiting)
        write(stream, Counted(number=2), expected=0)

    assert kinds(together(first, second)) == ["NoneType", "ZeroDivisionError"]
    assert numbers(stream) == [(1, 2)]


def test_of_two_writers_of_several_events_the_second_adds_none_of_its_own(committed):
    stream, waiting = uuid4(), []
    write(stream, Counted(number=0), expected=0)

    def first() -> None:
        with transaction.atomic(using="orders"):
            append(stream, [Counted(number=1)], expected_version=1, using="orders")
            waiting.append(True)
            wait_until(partial(waits_for_a_lock, "orders"))

    def second() -> None:
        wait_until(lambda: waiting)
        with transaction.atomic(using="orders"), pytest.raises(VersionConflict):
            append(stream, [Counted(number=8), Counted(number=9)], expected_version=1, using="orders")

    assert together(first, second) == [None, None]
    assert numbers(stream) == [(1, 0), (2, 1)]
