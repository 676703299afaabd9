"""Streams grow at the end only, one version after the other, and what was written stays as it was."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.db import connections, transaction
from django.db.utils import ProgrammingError

from runtime.codec import NotDecodable
from runtime.codec.upcasting import NoWayUp
from runtime.eventstore.models import StreamEvent
from runtime.eventstore.store import (
    UnknownEvent,
    VersionConflict,
    append,
    load,
    load_many,
    streams_after,
)
from tests.runtime.eventstore.facts import TYPES, Counted, Opened

pytestmark = pytest.mark.django_db


def write(stream: UUID, *events, expected: int):
    with transaction.atomic(using="orders"):
        return append(stream, events, expected_version=expected, using="orders")


def read(stream: UUID) -> list[tuple[int, object]]:
    return [(entry.version, entry.event) for entry in load(stream, types=TYPES, using="orders")]


def test_what_was_appended_is_loaded_in_order_with_its_versions_and_times():
    stream = uuid4()

    first = write(stream, Opened(by="ada"), expected=0)
    second = write(stream, Counted(number=1), Counted(number=2), expected=1)

    assert read(stream) == [(1, Opened(by="ada")), (2, Counted(number=1)), (3, Counted(number=2))]
    recorded = load(stream, types=TYPES, using="orders")
    assert recorded[0].recorded_at == first
    assert recorded[2].recorded_at == second > first


def test_a_stream_that_does_not_exist_is_empty():
    assert read(uuid4()) == []


def test_several_streams_are_loaded_apart_and_one_that_does_not_exist_is_left_out():
    one, other = uuid4(), uuid4()
    write(one, Opened(by="a"), Counted(number=1), expected=0)
    write(other, Opened(by="b"), expected=0)

    found = load_many([one, other, uuid4()], types=TYPES, using="orders")

    assert {stream: [(e.version, e.event) for e in entries] for stream, entries in found.items()} == {
        one: [(1, Opened(by="a")), (2, Counted(number=1))],
        other: [(1, Opened(by="b"))],
    }


def test_streams_of_another_domain_are_other_streams():
    stream = uuid4()
    write(stream, Opened(by="a"), expected=0)

    assert load(stream, types=TYPES, using="payments") == []


@pytest.mark.parametrize("expected", [0, 1])
def test_who_expects_too_little_is_refused_and_the_transaction_stays_good(expected):
    stream = uuid4()
    write(stream, Opened(by="ada"), Counted(number=1), expected=0)

    with transaction.atomic(using="orders"):
        with pytest.raises(VersionConflict, match=f"{stream} is no longer at version {expected}"):
            append(stream, [Counted(number=9)], expected_version=expected, using="orders")
        append(stream, [Counted(number=2)], expected_version=2, using="orders")

    assert read(stream) == [(1, Opened(by="ada")), (2, Counted(number=1)), (3, Counted(number=2))]


@pytest.mark.parametrize("expected", [2, 7])
def test_who_expects_too_much_is_refused_so_that_no_gap_comes_about(expected):
    stream = uuid4()
    write(stream, Opened(by="ada"), expected=0)

    with pytest.raises(VersionConflict):
        write(stream, Counted(number=9), expected=expected)

    assert read(stream) == [(1, Opened(by="ada"))]


def test_of_several_events_that_meet_a_newer_version_none_is_added():
    stream = uuid4()
    write(stream, Opened(by="ada"), Counted(number=1), expected=0)

    with transaction.atomic(using="orders"), pytest.raises(VersionConflict):
        append(stream, [Counted(number=8), Counted(number=9)], expected_version=1, using="orders")

    assert read(stream) == [(1, Opened(by="ada")), (2, Counted(number=1))]


def test_appending_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to append"):
        write(uuid4(), expected=0)


def test_the_wire_name_and_version_are_stored_and_no_python_path():
    stream = uuid4()
    write(stream, Counted(number=5), expected=0)

    row = StreamEvent.objects.using("orders").get(stream=stream)

    assert (row.event_type, row.schema_version, row.data) == ("Counted", 2, {"number": 5})


def test_an_event_type_that_is_not_known_here_is_not_skipped():
    stream = uuid4()
    write(stream, Opened(by="ada"), Counted(number=1), expected=0)

    with pytest.raises(UnknownEvent, match=f"{stream} holds Counted, which is not known here"):
        load(stream, types={"Opened": Opened}, using="orders")


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        (3, "Counted of version 2 cannot be brought up to version 3"),
        (1, "Counted of version 2 is newer than version 1"),
    ],
)
def test_an_event_of_a_version_with_no_way_to_the_known_one_is_not_guessed_at(monkeypatch, known, sentence):
    stream = uuid4()
    write(stream, Counted(number=1), expected=0)
    monkeypatch.setattr(Counted, "version", known)

    with pytest.raises(NoWayUp, match=sentence):
        read(stream)


def test_an_older_event_is_brought_up_step_by_step_and_stays_as_it_was_in_the_stream(monkeypatch):
    stream = uuid4()
    write(stream, Counted(number=1), expected=0)
    monkeypatch.setattr(Counted, "version", 4)
    upcasters = {
        ("Counted", 2): lambda data: {"number": data["number"] * 10},
        ("Counted", 3): lambda data: {"number": data["number"] + 1},
        ("Opened", 2): lambda data: {"number": -1},
    }

    (recorded,) = load(stream, types=TYPES, upcasters=upcasters, using="orders")
    many = load_many([stream], types=TYPES, upcasters=upcasters, using="orders")

    assert recorded.event == Counted(number=11)
    assert many[stream] == [recorded]
    assert StreamEvent.objects.using("orders").get(stream=stream).data == {"number": 1}


def test_every_stream_is_found_a_page_at_a_time():
    streams = sorted(uuid4() for _ in range(5))
    for stream in streams:
        write(stream, Opened(by="a"), Counted(number=1), expected=0)

    first = streams_after(None, limit=3, using="orders")
    rest = streams_after(first[-1], limit=3, using="orders")

    assert first + rest == streams
    assert streams_after(streams[-1], limit=3, using="orders") == []


def test_data_that_lacks_a_field_is_not_guessed_at():
    stream = uuid4()
    row = StreamEvent(stream=stream, version=1, event_type="Counted", schema_version=2, data={})
    row.save(using="orders", force_insert=True)

    with pytest.raises(NotDecodable):
        read(stream)


@pytest.mark.parametrize("statement", ["UPDATE {} SET data = '{{}}'", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("alias", ["users", "inventory", "payments", "orders"])
def test_the_running_role_can_change_no_stream(alias, statement):
    with (
        transaction.atomic(using=alias),
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(using=alias),
        connections[alias].cursor() as cursor,
    ):
        cursor.execute(statement.format("eventstore_streamevent"))
