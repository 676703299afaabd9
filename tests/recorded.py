"""Traces that are all recorded, and sent where the test can read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings

from runtime.telemetry import sending, spans, traces
from runtime.telemetry.traces import RecentTraces, Recorded


def _forget() -> None:
    spans._made = None
    if sending.processor.cache_info().currsize and (processor := sending.processor()):
        processor.shutdown()
    sending.processor.cache_clear()
    traces.recent_traces.cache_clear()


@pytest.fixture
def anew(settings) -> Iterator[Callable[..., None]]:
    """Begin with these settings; what the process had made of others is forgotten, and this too afterwards."""

    def begin(**given: object) -> None:
        for name, value in {"TRACES_SAMPLE": 1.0, **given}.items():
            setattr(settings, name, value)
        _forget()

    _forget()
    yield begin
    _forget()


@pytest.fixture
def kept() -> Iterator[RecentTraces]:
    """The recent traces, empty."""
    found = RecentTraces(settings.CACHE_URL or "")
    found._redis.flushdb()
    yield found
    found._redis.flushdb()


@pytest.fixture
def recorded(anew, kept: RecentTraces) -> Callable[[], list[Recorded]]:
    """All spans so far, in order of time. Everything is recorded."""
    anew()

    def read() -> list[Recorded]:
        sending.flush()
        found = [span for trace_id in kept.latest(100) for span in kept.find(trace_id)]
        return sorted(found, key=lambda span: span.began)

    return read
