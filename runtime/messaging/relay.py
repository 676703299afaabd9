"""
Sends what the outbox holds, in each aggregate's order, and marks what was sent.

Any number of relays work on one outbox. Each claims rows for a lease of a few seconds: the claims themselves are made
one after another, under a lock that lasts as long as one statement, and while a row is claimed no later one of its
aggregate can be. A relay that dies, or is stopped in the middle, is followed by another when its lease is over; one
that wakes up later sends nothing more. What two sent twice, the inboxes of the consumers take once.
"""

from __future__ import annotations

import json
import logging
import select
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from celery import Celery
from django.db import connections, transaction
from django.db.models import F
from kombu import Connection
from opentelemetry.trace import SpanKind

from runtime.databases.clock import Now
from runtime.messaging import broker
from runtime.messaging.ailing import Ailing
from runtime.messaging.envelope import Envelope, described
from runtime.messaging.models import OutboxMessage
from runtime.messaging.outbox import channel_of
from runtime.messaging.senders import Letter, Outcome, Sender, sender_for
from runtime.messaging.subscriptions import subscriptions
from runtime.telemetry.crashpoints import crashpoint
from runtime.telemetry.spans import spent

log = logging.getLogger(__name__)

BATCH = 200
LEASE = 10.0
"""Seconds that a claim lasts. Nothing is sent in its second half: that is what the broker may take to confirm."""
LONGEST_WAIT = 15.0
"""Seconds between two tries to send one row, at the most."""
LONGEST_OUTAGE_WAIT = 5.0
"""Seconds between two tries to reach the broker, at the most."""

_ANY = """
SELECT 1 FROM messaging_outboxmessage
WHERE published_at IS NULL AND wanted AND due_at <= (SELECT clock_now()) LIMIT 1
"""

_ONE_CLAIM_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext(%s))"

_CLAIM = """
WITH clock AS MATERIALIZED (SELECT clock_now() AS now), claimed AS (
    SELECT o.event_id FROM messaging_outboxmessage o, clock
    WHERE o.published_at IS NULL AND o.wanted AND o.due_at <= clock.now
      AND NOT EXISTS (
          SELECT 1 FROM messaging_outboxmessage e
          WHERE e.subject = o.subject AND e.sequence < o.sequence AND e.published_at IS NULL AND e.wanted
            AND e.due_at > clock.now)
    ORDER BY o.created_at LIMIT %(batch)s
)
UPDATE messaging_outboxmessage o SET due_at = clock.now + %(lease)s
FROM claimed, clock WHERE o.event_id = claimed.event_id
RETURNING o.event_id, o.event_type, o.version, o.exchange, o.routing_key, o.subject, o.sequence, o.created_at,
    o.traceparent, o.data, o.attempts,
    (SELECT jsonb_object_agg(c.key, (
        SELECT p.sequence FROM messaging_outboxmessage p
        WHERE p.subject = o.subject AND p.sequence < o.sequence AND p.wanted AND c.value ? p.event_type
        ORDER BY p.sequence DESC LIMIT 1))
     FROM jsonb_each(%(types)s::jsonb) c WHERE c.value ? o.event_type) AS after
"""


class Row(NamedTuple):
    """A row that this relay has claimed."""

    event_id: UUID
    event_type: str
    version: int
    exchange: str
    routing_key: str
    subject: str
    sequence: int
    created_at: datetime
    traceparent: str | None
    data: dict[str, Any]
    attempts: int
    after: dict[str, int | None] | None


class Relay:
    """The outbox of one domain. ``publish_batch`` is called over and over by one thread, which owns its connections."""

    def __init__(self, *, app: Celery, domain: str) -> None:
        self._app = app
        self._domain = domain
        self._connection: Connection | None = None
        self._sender: Sender | None = None
        self._listening_on: Any = None
        self._outages_in_a_row = 0
        self._not_before = 0.0
        self._ailing = Ailing(domain)
        away = app.connection_for_write()
        self._amqp = away.transport.driver_type == "amqp"
        self._outages = (*broker.outages_of(away), *away.channel_errors)

    def publish_batch(self) -> bool:
        """Send up to a batch. Whether there may be more to send at once. An outage is logged and answered False."""
        if time.monotonic() < self._not_before or not self._any():
            return False
        try:
            sender = self._connected()
        except self._outages as error:
            self._lose(error)
            return False
        until = time.monotonic() + LEASE / 2
        rows = self._claim()
        outcome = Outcome()
        try:
            self._send(sender, rows, outcome, until=until)
            self._ailing.passed(bool(outcome.sent))
        except self._outages as error:
            self._lose(error)
        crashpoint("relay.after_publish_before_mark")
        self._mark(rows, outcome, lapsed=time.monotonic() >= until + LEASE / 2)
        return len(rows) == BATCH and len(outcome.sent) == BATCH

    def wait(self, seconds: float) -> None:
        """Until PostgreSQL nudges that there is something to send, or this long."""
        raw = self._listening()
        raw.poll()
        if not raw.notifies:
            select.select([raw], [], [], seconds)
            raw.poll()
        raw.notifies.clear()

    # --- Rows -------------------------------------------------------------------------------------------------------

    def _any(self) -> bool:
        with connections[self._domain].cursor() as cursor:
            cursor.execute(_ANY)
            return cursor.fetchone() is not None

    def _claim(self) -> list[Row]:
        """Rows that are due, without those behind a row of the same aggregate that is not; in its order."""
        types = _types_by_consumer(self._domain)
        told: dict[str, Any] = {"batch": BATCH, "lease": timedelta(seconds=LEASE), "types": types}
        with transaction.atomic(using=self._domain), connections[self._domain].cursor() as cursor:
            # A statement of its own: the claim has to see what the one before it has committed.
            cursor.execute(_ONE_CLAIM_AT_A_TIME, [f"outbox:{self._domain}"])
            cursor.execute(_CLAIM, told)
            rows = [Row(*_read(row)) for row in cursor.fetchall()]
        crashpoint("relay.after_claim")
        return sorted(rows, key=lambda row: (row.subject, row.sequence))

    def _send(self, sender: Sender, rows: Sequence[Row], outcome: Outcome, *, until: float) -> None:
        """In waves: a row is sent when the one before it of its aggregate is known to be sent."""
        for wave in _waves(rows):
            held = {row.subject for row in rows if row.event_id in outcome.refused}
            free = [_letter(row) for row in wave if row.subject not in held]
            if time.monotonic() >= until:
                log.warning("the relay of %s ran out of its lease and leaves the rest to the next claim", self._domain)
                return
            began = time.time_ns()
            sender.send(free, outcome)
            _trace(free, outcome, since=began)

    def _mark(self, rows: Sequence[Row], outcome: Outcome, *, lapsed: bool) -> None:
        table = OutboxMessage.objects.using(self._domain)
        if outcome.sent:
            table.filter(event_id__in=outcome.sent, published_at=None).update(
                published_at=Now(), attempts=F("attempts") + 1, error=None
            )
        for row in rows:
            if row.event_id in outcome.refused:
                self._try_later(row, outcome.refused[row.event_id])
        # What nothing is known of is free again, unless somebody else may have claimed it by now.
        rest = [row.event_id for row in rows if row.event_id not in outcome.sent | outcome.refused.keys()]
        if rest and not lapsed:
            table.filter(event_id__in=rest, published_at=None).update(due_at=Now())

    def _try_later(self, row: Row, reason: str) -> None:
        log.error("outbox row %s of %s cannot be sent: %s", row.event_id, self._domain, reason)
        wait = min(LONGEST_WAIT, 0.5 * 2**row.attempts)
        OutboxMessage.objects.using(self._domain).filter(pk=row.event_id, published_at=None).update(
            attempts=F("attempts") + 1, due_at=Now() + timedelta(seconds=wait), error=reason[:2000]
        )

    # --- Connections ------------------------------------------------------------------------------------------------

    def _connected(self) -> Sender:
        if self._sender is None:
            # Confirms are collected here; a socket that takes nothing more must not hold the thread.
            options = {"confirm_publish": False, "write_timeout": broker.CONFIRM_TIMEOUT}
            options |= self._ailing.connecting(amqp=self._amqp)
            self._connection = self._app.connection_for_write(connect_timeout=5, transport_options=options)
            self._connection.ensure_connection(max_retries=1, timeout=5)
            broker.declare(self._connection, tuple(subscriptions().by_consumer))
            self._sender = sender_for(self._app, self._connection)
            self._outages_in_a_row = 0
        return self._sender

    def _lose(self, error: Exception) -> None:
        """The next try opens a new connection and declares everything again: the broker may come back empty."""
        self._outages_in_a_row += 1
        wait = min(LONGEST_OUTAGE_WAIT, 0.25 * 2**self._outages_in_a_row)
        log.warning("the relay of %s lost the broker, and tries again in %g s: %s", self._domain, wait, error)
        self._not_before = time.monotonic() + wait
        self._ailing.lost(error)
        if self._connection is not None:
            self._connection.collect()
        self._connection = self._sender = None

    def _listening(self) -> Any:
        """The database connection, which has asked to be nudged."""
        connection = connections[self._domain]
        connection.ensure_connection()
        if self._listening_on is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {connection.ops.quote_name(channel_of(self._domain))}")
            self._listening_on = connection.connection
        return self._listening_on


@cache
def _types_by_consumer(source: str) -> str:
    """As JSON: the events of this exchange that each consumer reacts to."""
    table = subscriptions()
    return json.dumps({consumer: table.types_of(consumer, source=source) for consumer in table.by_consumer})


def _read(row: Sequence[Any]) -> Iterator[Any]:
    """Columns of jsonb come as text: Django reads them in its models only."""
    return (json.loads(value) if index in _JSON and value is not None else value for index, value in enumerate(row))


_JSON = {Row._fields.index("data"), Row._fields.index("after")}


def _waves(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The first rows of all aggregates, then the second ones, and so on."""
    by_subject: dict[str, list[Row]] = {}
    for row in rows:
        by_subject.setdefault(row.subject, []).append(row)
    for number in range(max(map(len, by_subject.values()), default=0)):
        yield [of_one[number] for of_one in by_subject.values() if number < len(of_one)]


def _trace(letters: Sequence[Letter], outcome: Outcome, *, since: int) -> None:
    """They were sent together, and each belongs to a trace of its own."""
    for letter in letters:
        event_id = letter.envelope.event_id
        name, told = described("send", event_id, exchange=letter.exchange, routing_key=letter.routing_key)
        if event_id in outcome.refused:
            told["error.type"] = "refused"
        spent(name, traceparent=letter.envelope.traceparent, since=since, kind=SpanKind.CLIENT, attributes=told)


def _letter(row: Row) -> Letter:
    envelope = Envelope(
        event_id=row.event_id,
        event_type=row.event_type,
        version=row.version,
        timestamp=row.created_at,
        source=row.exchange,
        subject=row.subject,
        sequence=row.sequence,
        data=row.data,
        traceparent=row.traceparent,
        after={consumer: before for consumer, before in (row.after or {}).items() if before is not None},
    )
    return Letter(envelope=envelope, exchange=row.exchange, routing_key=row.routing_key)
