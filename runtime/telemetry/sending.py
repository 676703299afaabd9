"""
Where spans go, and that nobody waits for it: to a collector (OTLP over HTTP), or else to the recent traces.

A thread sends them in batches. What cannot be sent is lost, and that is said once a minute, whatever the number.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from functools import cache

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from runtime.telemetry.traces import recent_traces

__all__ = ["flush", "processor"]

log = logging.getLogger(__name__)

SECONDS_BETWEEN_BATCHES = 1.0
"""So soon is a trace there to be looked at."""
_WAITING = 4096
"""Spans that wait to be sent, at the most: a few megabytes."""
_AT_ONCE = 512
_TELL_EVERY = 60.0
_LAST_WORDS = 2.0
"""Seconds that the last batch may take when the process ends."""


class Sent(SpanExporter):
    """Hands batches on, and tells of those that were lost; never raises."""

    def __init__(self, to: SpanExporter, *, called: str) -> None:
        self._to = to
        self._called = called
        self._lost = 0
        self._tell_at = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        why = "see its own log"
        try:
            result = self._to.export(spans)
        except Exception as error:  # whatever it is: spans are worth no thread
            result, why = SpanExportResult.FAILURE, type(error).__name__
        if result is not SpanExportResult.SUCCESS:
            self._tell(len(spans), why)
        return result

    def shutdown(self) -> None:
        self._to.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._to.force_flush(timeout_millis)

    def _tell(self, lost: int, why: str) -> None:
        self._lost += lost
        now = time.monotonic()
        if now >= self._tell_at:
            log.warning("%s takes no spans (%s): %d were lost since this was last said", self._called, why, self._lost)
            self._lost, self._tell_at = 0, now + _TELL_EVERY


class InBatches(BatchSpanProcessor):
    """The library's own, which the end of the process waits for no longer than two seconds."""

    def shutdown(self) -> None:
        ending = threading.Thread(target=super().shutdown, daemon=True)
        ending.start()
        ending.join(_LAST_WORDS)


@cache
def processor() -> InBatches | None:
    """This process's; None where there is nowhere to send to."""
    exporter = _exporter()
    if exporter is None:
        return None
    return InBatches(
        exporter,
        max_queue_size=_WAITING,
        max_export_batch_size=_AT_ONCE,
        schedule_delay_millis=SECONDS_BETWEEN_BATCHES * 1000,
    )


def flush() -> None:
    """Send what waits, before a process ends that does not tell its threads."""
    if (sending := processor()) is not None:
        sending.force_flush()


def _exporter() -> Sent | None:
    if endpoint := settings.TRACES_ENDPOINT:
        # Headers, certificates and the like it takes from the OTEL_ variables itself.
        return Sent(OTLPSpanExporter(endpoint=endpoint), called=f"the collector at {endpoint}")
    if (traces := recent_traces()) is not None:
        return Sent(traces, called="the cache, which has the recent traces,")
    return None
