"""Each try to handle an event is a span below the one that told it, and leaves one line in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.trace import SpanKind

from runtime.messaging.envelope import Envelope, described
from runtime.messaging.subscriptions import routing_key_of
from runtime.telemetry.logs import about
from runtime.telemetry.spans import entering, fail

__all__ = ["Attempt", "attempted"]

log = logging.getLogger("runtime.messaging.events")


class Attempt:
    """How it went: ``handled``, until somebody says otherwise."""

    def __init__(self) -> None:
        self.outcome = "handled"
        self.error: Exception | None = None

    def ended(self, outcome: str, error: Exception | None = None) -> None:
        self.outcome, self.error = outcome, error


@contextmanager
def attempted(envelope: Envelope, *, consumer: str, attempts: int) -> Iterator[Attempt]:
    """Everything inside belongs to the event's trace, and lines of the log name what it is about."""
    name, told = described(
        "process", envelope.event_id, exchange=envelope.source, routing_key=routing_key_of(envelope.event_type)
    )
    told["messaging.consumer.group.name"] = consumer
    attempt, began = Attempt(), time.perf_counter()
    with (
        entering(name, traceparent=envelope.traceparent, kind=SpanKind.CONSUMER, attributes=told) as span,
        about(**_ids(envelope)),
    ):
        yield attempt
        span.set_attributes({"mitosis.event.attempt": attempts, "mitosis.event.outcome": attempt.outcome})
        if attempt.error is not None:
            fail(span, attempt.error)
        log.info(
            "event",
            extra={
                "event_type": envelope.event_type,
                "event_id": str(envelope.event_id),
                "consumer": consumer,
                "outcome": attempt.outcome,
                "attempt": attempts,
                "ms": round((time.perf_counter() - began) * 1000, 1),
            },
        )


def _ids(envelope: Envelope) -> dict[str, Any]:
    """An event says by the same names whose it is and which order it is about, whoever tells it."""
    found = {"order_id": envelope.data.get("orderId"), "user_id": envelope.data.get("userId")}
    return {name: value for name, value in found.items() if isinstance(value, str)}
