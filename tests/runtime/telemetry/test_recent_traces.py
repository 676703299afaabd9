"""The recent traces: written by many, found by id, bounded in number and in size whatever is thrown at them."""

from __future__ import annotations

import os

from django.conf import settings
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from runtime.telemetry import traces
from runtime.telemetry.traces import RecentTraces


def write(to: RecentTraces, *names: str, text: str = "") -> str:
    """One trace of so many spans, each sent by itself. Its id."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(to))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span(names[0]) as first:
        for name in names[1:]:
            tracer.start_span(name, attributes={"text": text}).end()
    return f"{first.get_span_context().trace_id:032x}"


def noise(length: int) -> str:
    """What does not get smaller when it is packed."""
    return os.urandom(length).hex()


def test_what_several_wrote_is_found_together_in_order_of_time(kept):
    trace_id = write(kept, "first", "second", "third")

    assert [span.name for span in kept.find(trace_id)] == ["first", "second", "third"]
    assert kept.latest(5) == [trace_id]
    assert kept.known([trace_id, "0" * 32]) == {trace_id}
    assert kept.find("0" * 32) == []
    assert kept.known([]) == frozenset()


def test_the_oldest_make_room_for_new_ones(kept):
    small = RecentTraces(settings.CACHE_URL, most_bytes=20_000)
    written = [write(small, "one", "two", text=noise(1000)) for _ in range(30)]

    left = [trace_id for trace_id in written if small.find(trace_id)]
    assert 3 <= len(left) < 15
    assert set(small.latest(100)) == set(left)
    assert int(kept._redis.get("mitosis:traces:total")) <= 20_000
    # What is gone has left nothing.
    assert len(kept._redis.keys("mitosis:trace:*")) == kept._redis.hlen("mitosis:traces:sizes") == len(left)


def test_one_that_never_ends_does_not_take_the_room_of_all(kept):
    small = RecentTraces(settings.CACHE_URL, most_bytes_of_one=5_000)
    trace_id = write(small, "root", *["part"] * 50, text=noise(500))

    assert 3 <= len(small.find(trace_id)) < 15


def test_after_a_day_one_is_gone(kept):
    trace_id = write(kept, "one")
    assert 0 < kept._redis.ttl(f"mitosis:trace:{trace_id}") <= traces.MOST_SECONDS == 86_400

    kept._redis.zincrby("mitosis:traces:recent", -86_401, trace_id)
    write(kept, "another")

    assert kept.known([trace_id]) == frozenset()
    assert kept.find(trace_id) == []
