"""
Which trace and which request the running code belongs to: W3C Trace Context, level 1, and a request id.

Set by whatever begins the work (a request, an event, a timer); read by logs, events and outgoing calls. What is under
way is OpenTelemetry's current span (spans.py), so that other instrumentation finds it where it looks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry import context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span, set_span_in_context

__all__ = [
    "Trace",
    "asked_as",
    "continue_or_start",
    "current_request_id",
    "current_trace",
    "current_trace_id",
    "current_traceparent",
    "parse",
    "working_on",
]

# version "-" trace-id "-" parent-id "-" flags; a version after 00 may append more (3.2 and 4 of the recommendation).
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED = "01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One span of a trace. Ids are lower-case hexadecimal, 32 and 16 digits, never all zero."""

    trace_id: str
    span_id: str
    flags: str = _SAMPLED

    @property
    def traceparent(self) -> str:
        """The header that hands this span to whoever is called next."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    @property
    def sampled(self) -> bool:
        """Whether whoever began it wants it kept."""
        return self.flags == _SAMPLED

    def as_parent(self, *, remote: bool) -> context.Context:
        """OpenTelemetry's context below this span, which is recorded elsewhere, if at all."""
        parent = SpanContext(int(self.trace_id, 16), int(self.span_id, 16), remote, TraceFlags(int(self.flags, 16)))
        return set_span_in_context(NonRecordingSpan(parent), context.Context())


_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def continue_or_start(traceparent: str | None) -> Trace:
    """A new span below the given one; a new trace where there is none or it cannot be read."""
    parent = parse(traceparent)
    span_id = os.urandom(8).hex()
    if parent is None:
        return Trace(trace_id=os.urandom(16).hex(), span_id=span_id)
    return Trace(trace_id=parent.trace_id, span_id=span_id, flags=parent.flags)


def current_trace() -> Trace | None:
    current = get_current_span().get_span_context()
    if not current.is_valid:
        return None
    flags = f"{current.trace_flags & TraceFlags.SAMPLED:02x}"
    return Trace(trace_id=f"{current.trace_id:032x}", span_id=f"{current.span_id:016x}", flags=flags)


def current_trace_id() -> str | None:
    """What a row says of the trace in which it was written; None outside of any trace."""
    trace = current_trace()
    return trace.trace_id if trace else None


def current_traceparent() -> str | None:
    """What an event or an outgoing call carries; None outside of any trace."""
    trace = current_trace()
    return trace.traceparent if trace else None


def current_request_id() -> str | None:
    return _request_id.get()


@contextmanager
def working_on(*, trace: Trace, request_id: str | None = None) -> Iterator[None]:
    """Everything inside belongs to this trace (and request), and is not recorded here."""
    outer = context.attach(trace.as_parent(remote=False))
    try:
        with asked_as(request_id):
            yield
    finally:
        context.detach(outer)


@contextmanager
def asked_as(request_id: str | None) -> Iterator[None]:
    """Everything inside belongs to this request."""
    outer = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(outer)


def parse(traceparent: str | None) -> Trace | None:
    """None where it is none, or cannot be read."""
    found = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    # Flags are bits; only "sampled" is known to version 00.
    return Trace(trace_id=trace_id, span_id=span_id, flags=f"{int(flags, 16) & 1:02x}")
