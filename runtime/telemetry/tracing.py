"""
Which trace and which request the running code belongs to: W3C Trace Context, level 1, and a request id.

Set by whatever begins the work (a request, an event, a timer); read by logs, events and outgoing calls.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = [
    "Trace",
    "continue_or_start",
    "current_request_id",
    "current_trace",
    "current_trace_id",
    "current_traceparent",
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


_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def continue_or_start(traceparent: str | None) -> Trace:
    """A new span below the given one; a new trace where there is none or it cannot be read."""
    parent = _parse(traceparent)
    span_id = os.urandom(8).hex()
    if parent is None:
        return Trace(trace_id=os.urandom(16).hex(), span_id=span_id)
    return Trace(trace_id=parent.trace_id, span_id=span_id, flags=parent.flags)


def current_trace() -> Trace | None:
    return _trace.get()


def current_trace_id() -> str | None:
    """What a row says of the trace in which it was written; None outside of any trace."""
    trace = _trace.get()
    return trace.trace_id if trace else None


def current_traceparent() -> str | None:
    """What an event or an outgoing call carries; None outside of any trace."""
    trace = _trace.get()
    return trace.traceparent if trace else None


def current_request_id() -> str | None:
    return _request_id.get()


@contextmanager
def working_on(*, trace: Trace, request_id: str | None = None) -> Iterator[None]:
    """Everything inside belongs to this trace (and request)."""
    outer_trace, outer_id = _trace.set(trace), _request_id.set(request_id)
    try:
        yield
    finally:
        _trace.reset(outer_trace)
        _request_id.reset(outer_id)


def _parse(text: str | None) -> Trace | None:
    found = _TRACEPARENT.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    # Flags are bits; only "sampled" is known to version 00.
    return Trace(trace_id=trace_id, span_id=span_id, flags=f"{int(flags, 16) & 1:02x}")
