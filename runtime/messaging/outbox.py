"""Writes an event down beside the change that made it true: both happen or neither."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections
from opentelemetry.trace import SpanKind

from contracts._base import Event, new_id
from runtime.codec import encode
from runtime.messaging.counting import count_once_true
from runtime.messaging.envelope import described
from runtime.messaging.subscriptions import subscriptions
from runtime.telemetry.spans import span
from runtime.telemetry.tracing import current_traceparent


class PublishOutsideTransaction(RuntimeError):
    """An event was published outside a transaction, so it could be told without having become true."""


# One statement: take the aggregate's next number (or the one that its stream has given already) and write the row.
_WITH_COUNTER = """
WITH counted AS (
    INSERT INTO messaging_eventcounter (subject, last) VALUES (%(subject)s, 1)
    ON CONFLICT (subject) DO UPDATE SET last = messaging_eventcounter.last + 1
    RETURNING last
)
INSERT INTO messaging_outboxmessage
    (event_id, event_type, version, exchange, routing_key, subject, sequence, traceparent, data, wanted)
SELECT %(event_id)s, %(event_type)s, %(version)s, %(exchange)s, %(routing_key)s, %(subject)s, counted.last,
       %(traceparent)s, %(data)s::jsonb, %(wanted)s
FROM counted
RETURNING CASE WHEN wanted THEN pg_notify(%(channel)s, '') END
"""

_WITH_SEQUENCE = """
INSERT INTO messaging_outboxmessage
    (event_id, event_type, version, exchange, routing_key, subject, sequence, traceparent, data, wanted)
VALUES (%(event_id)s, %(event_type)s, %(version)s, %(exchange)s, %(routing_key)s, %(subject)s, %(sequence)s,
        %(traceparent)s, %(data)s::jsonb, %(wanted)s)
RETURNING CASE WHEN wanted THEN pg_notify(%(channel)s, '') END
"""


def channel_of(domain: str) -> str:
    """Where PostgreSQL nudges this domain's relay: NOTIFY tells at commit, and is no more than a nudge."""
    return f"{domain}_outbox"


def publish(event: Event, *, using: str, sequence: int | None = None) -> None:
    """
    Tell an event once this transaction commits, and only then.

    ``sequence`` is the event's place among those of its subject where the caller has one (a stream's version); else
    the next one is taken. Raises PublishOutsideTransaction.
    """
    connection = connections[using]
    if not connection.in_atomic_block:
        raise PublishOutsideTransaction(f"{event.name} was published outside atomic(using={using!r}).")
    event_id = new_id()
    name, attributes = described("create", event_id, exchange=event.exchange, routing_key=event.routing_key)
    with span(name, kind=SpanKind.PRODUCER, attributes=attributes):
        _write(event, event_id, using=using, sequence=sequence)


def _write(event: Event, event_id: UUID, *, using: str, sequence: int | None) -> None:
    row: dict[str, Any] = {
        "event_id": event_id,
        "event_type": event.name,
        "version": event.version,
        "exchange": event.exchange,
        "routing_key": event.routing_key,
        "subject": event.subject,
        "sequence": sequence,
        "traceparent": current_traceparent(),
        "data": encode(event, type(event)).decode(),
        "channel": channel_of(using),
        "wanted": settings.PUBLISH_ALL or bool(subscriptions().consumers_of(event.name)),
    }
    with connections[using].cursor() as cursor:
        cursor.execute(_WITH_COUNTER if sequence is None else _WITH_SEQUENCE, row)
    count_once_true(event, using=using)


def traces_of(subject: str, *, using: str) -> dict[int, str]:
    """The trace id under which each event of a subject became true, by sequence; without those that had none."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT sequence, split_part(traceparent, '-', 2) FROM messaging_outboxmessage"
            " WHERE subject = %s AND traceparent IS NOT NULL",
            [subject],
        )
        return dict(cursor.fetchall())


def unsent_of(subject: str, *, using: str) -> frozenset[int]:
    """The sequences of a subject's events that somebody listens to and that were not sent yet."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT sequence FROM messaging_outboxmessage WHERE subject = %s AND published_at IS NULL AND wanted",
            [subject],
        )
        return frozenset(sequence for (sequence,) in cursor.fetchall())
