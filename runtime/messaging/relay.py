"""
Sends what the outbox holds, in each aggregate's order, and marks what was sent.

One relay at a time works on a domain's outbox: it holds an advisory lock of that domain's database for as long as its
connection lives, so a relay that dies is followed by another within a second, and two never send side by side.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from celery import Celery
from django.db import connections
from django.db.models import Exists, F, OuterRef
from kombu import Connection, Producer
from kombu.exceptions import OperationalError as BrokerError

from runtime.databases.clock import Now
from runtime.messaging import broker
from runtime.messaging.envelope import Envelope
from runtime.messaging.models import OutboxMessage
from runtime.messaging.subscriptions import subscriptions
from runtime.telemetry.crashpoints import crashpoint

log = logging.getLogger(__name__)

BATCH = 200
LONGEST_WAIT = 15.0


class Relay:
    """The outbox of one domain. ``publish_batch`` is called over and over by one thread, which owns its connections."""

    def __init__(self, *, app: Celery, domain: str) -> None:
        self._app = app
        self._domain = domain
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        self._locked_on: Any = None
        # The transport has errors of its own for a broker that is out of reach: redis' are no OSError.
        self._outages = (BrokerError, OSError, *app.connection_for_write().connection_errors)

    def publish_batch(self) -> bool:
        """Send up to a batch. Whether there may be more to send at once. An outage is logged and answered False."""
        if not self._holds_the_lock():
            return False
        rows = self._waiting()
        if not rows:
            return False
        try:
            producer = self._connected()
        except self._outages as error:
            self._disconnect(error)
            return False
        sent, failed = self._send_all(producer, rows)
        crashpoint("relay.after_publish_before_mark")
        OutboxMessage.objects.using(self._domain).filter(event_id__in=sent).update(
            published_at=Now(), attempts=F("attempts") + 1, error=None
        )
        return not failed and len(rows) == BATCH

    def _holds_the_lock(self) -> bool:
        """The lock lives and dies with the connection, so on the same connection it need not be asked for again."""
        connection = connections[self._domain]
        connection.ensure_connection()
        if self._locked_on is connection.connection:
            return True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(0, hashtext(%s))", [f"outbox:{self._domain}"])
            (held,) = cursor.fetchone() or (False,)
        self._locked_on = connection.connection if held else None
        return bool(held)

    def _waiting(self) -> list[OutboxMessage]:
        """Rows that are due, without those behind a row of the same aggregate that is not."""
        waiting = OutboxMessage.objects.using(self._domain).filter(published_at=None, wanted=True)
        held_back = waiting.filter(subject=OuterRef("subject"), sequence__lt=OuterRef("sequence"), due_at__gt=Now())
        rows = waiting.filter(~Exists(held_back), due_at__lte=Now()).order_by("created_at", "sequence")[:BATCH]
        return sorted(rows, key=lambda row: (row.subject, row.sequence))

    def _send_all(self, producer: Producer, rows: list[OutboxMessage]) -> tuple[list[Any], bool]:
        sent: list[Any] = []
        stopped: set[str] = set()
        for row in rows:
            if row.subject in stopped:
                continue
            try:
                broker.send(
                    self._app,
                    producer,
                    _envelope(row, source=row.exchange),
                    exchange=row.exchange,
                    routing_key=row.routing_key,
                )
                sent.append(row.event_id)
            except self._outages as error:
                self._disconnect(error)
                return sent, True
            except Exception as error:  # this row cannot be sent: it stops its own aggregate and nobody else's
                log.exception("outbox row %s of %s cannot be sent", row.event_id, self._domain)
                stopped.add(row.subject)
                self._try_later(row, error)
        return sent, bool(stopped)

    def _try_later(self, row: OutboxMessage, error: Exception) -> None:
        wait = min(LONGEST_WAIT, 0.5 * 2**row.attempts)
        OutboxMessage.objects.using(self._domain).filter(pk=row.pk).update(
            attempts=F("attempts") + 1,
            due_at=Now() + timedelta(seconds=wait),
            error=f"{type(error).__name__}: {error}"[:2000],
        )

    def _connected(self) -> Producer:
        if self._producer is None:
            self._connection = self._app.connection_for_write(connect_timeout=5)
            self._connection.ensure_connection(max_retries=1, timeout=5)
            broker.declare(self._connection, tuple(subscriptions().by_consumer))
            self._producer = Producer(self._connection)
        return self._producer

    def _disconnect(self, error: Exception) -> None:
        log.warning("the relay of %s lost the broker: %s", self._domain, error)
        if self._connection is not None:
            self._connection.release()
        self._connection = self._producer = None


def _envelope(row: OutboxMessage, *, source: str) -> Envelope:
    return Envelope(
        event_id=row.event_id,
        event_type=row.event_type,
        version=row.version,
        timestamp=row.created_at,
        source=source,
        subject=row.subject,
        sequence=row.sequence,
        data=row.data,
        traceparent=row.traceparent,
    )
