"""An event's envelope survives its way, and what is no envelope is said to be none."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.messaging.envelope import Envelope, MalformedEnvelope, read, write

same_each_time = settings(max_examples=150, derandomize=True, deadline=None, database=None)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
envelopes = st.builds(
    Envelope,
    event_id=st.uuids(),
    event_type=names,
    version=st.integers(1, 100),
    timestamp=st.datetimes(timezones=st.just(UTC)),
    source=names,
    subject=names,
    sequence=st.integers(1, 2**63 - 1),
    data=st.dictionaries(names, values, max_size=5),
    traceparent=st.none() | names,
)
WIRE = {"eventId", "eventType", "version", "timestamp", "source", "subject", "sequence", "data"}


@same_each_time
@given(envelopes)
def test_what_is_written_is_read_again(envelope: Envelope) -> None:
    on_the_wire = json.loads(json.dumps(write(envelope)))

    assert read(on_the_wire) == envelope
    assert on_the_wire.keys() - {"traceparent"} == WIRE


@same_each_time
@given(envelopes, st.dictionaries(names.filter(lambda name: name not in {*WIRE, "traceparent"}), values, min_size=1))
def test_what_a_newer_sender_adds_is_passed_over(envelope: Envelope, more: dict[str, Any]) -> None:
    assert read({**more, **write(envelope)}) == envelope


@same_each_time
@given(envelopes, st.sampled_from(sorted(WIRE)))
def test_an_envelope_that_lacks_a_field_is_malformed(envelope: Envelope, field: str) -> None:
    message = write(envelope)
    del message[field]

    assert _refused(message)


@same_each_time
@given(values | st.dictionaries(st.sampled_from(sorted(WIRE)), values))
def test_anything_else_is_read_or_refused_and_nothing_else_happens(message: Any) -> None:
    if not _refused(message):
        assert isinstance(read(message), Envelope)


@same_each_time
@given(envelopes, st.sampled_from(sorted(WIRE - {"data"})), values)
def test_a_field_of_another_kind_is_refused_or_was_that_kind(envelope: Envelope, field: str, value: Any) -> None:
    message = {**write(envelope), field: value}

    if not _refused(message):
        assert json.loads(json.dumps(write(read(message)))).keys() >= WIRE


def _refused(message: Any) -> bool:
    try:
        read(message)
    except MalformedEnvelope:
        return True
    return False
