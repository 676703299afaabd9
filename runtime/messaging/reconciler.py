"""
Compares the outbox with the inboxes of those who subscribe, and has sent again what somebody never got.

A broker's word is no proof: it may lose its disk, a binding, or a queue that it has just confirmed. What a consumer has
written down is. So a row is settled only when each subscriber says that it has come, and a broker that lost everything
costs time, not events.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from celery import Celery
from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from contracts._base import Awaited, Listener, Ref, Unavailable, Unheard
from runtime.calls import resolve
from runtime.databases.clock import Now
from runtime.messaging import broker
from runtime.messaging.models import OutboxMessage
from runtime.messaging.subscriptions import subscriptions

log = logging.getLogger(__name__)

BATCH = 500
GRACE = 4.0
"""Seconds after it was sent before an event is asked about, doubled with each time that it was sent again ..."""
LONGEST_GRACE = 8.0
"""... but no longer than this: whatever was lost before, what is lost now is sent again within ten seconds."""

LEISURE = 9
"""How many times as long as a look took the next one waits, where all of a batch is still in the queues ..."""
LONGEST_LEISURE = 1.0
"""... but no longer than these seconds."""

_LONG_ENOUGH_AGO = (
    "published_at <= (SELECT clock_now())"
    " - LEAST(%(longest)s, %(grace)s * power(2, LEAST(resent, 10))) * interval '1 s'"
)

_UNSETTLED = f"""
SELECT event_id, event_type, published_at FROM messaging_outboxmessage
WHERE published_at > %(after)s AND settled_at IS NULL AND {_LONG_ENOUGH_AGO}
ORDER BY published_at LIMIT %(batch)s
"""

# What is waited for; or, where that was pruned long ago, the one that waits, to hear that it need not.
_SEND_AGAIN = f"""
WITH awaited AS (
    SELECT e.event_id AS earlier, w.waiting
    FROM unnest(%(waiting)s::uuid[], %(subjects)s::text[], %(sequences)s::bigint[]) AS w (waiting, subject, sequence)
    LEFT JOIN messaging_outboxmessage e ON e.subject = w.subject AND e.sequence = w.sequence
)
UPDATE messaging_outboxmessage
SET published_at = NULL, settled_at = NULL, due_at = clock_now(), resent = resent + 1
WHERE event_id IN (SELECT unnest(%(missing)s::uuid[]) UNION SELECT COALESCE(earlier, waiting) FROM awaited)
  AND wanted AND {_LONG_ENOUGH_AGO}
"""

_THE_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Told:
    """An event that was sent and is not known to have come everywhere."""

    event_id: UUID
    event_type: str
    published_at: datetime


@dataclass(slots=True)
class Findings:
    """``missing`` never came to somebody and is not on its way; ``open`` may be on its way, or nobody could say."""

    missing: set[UUID] = field(default_factory=set)
    open: set[UUID] = field(default_factory=set)
    awaited: list[Awaited] = field(default_factory=list)


class Reconciler:
    """One domain's outbox against those who subscribe. Several may run: what two find is done once."""

    def __init__(self, *, app: Celery, domain: str) -> None:
        self._app = app
        self._domain = domain
        self._after = _THE_BEGINNING

    def compare(self) -> bool:
        """Look at up to a batch. Whether there may be more to look at."""
        began = time.monotonic()
        told = self._unsettled()
        findings = Findings()
        for consumer in subscriptions().by_consumer:
            self._ask(consumer, told, findings)
        done = {row.event_id for row in told} - findings.missing - findings.open
        if done:
            OutboxMessage.objects.using(self._domain).filter(event_id__in=done).update(settled_at=Now())
        self._send_again(findings)
        # The next look goes on behind what is still open, and starts anew at the end: one queue that nobody reads must
        # not hide what another one lost.
        more = len(told) == BATCH
        self._after = told[-1].published_at if more else _THE_BEGINNING
        if more and not done and not findings.missing:
            # A long queue is looked through without haste: those who empty it need the processor more.
            time.sleep(min(LONGEST_LEISURE, LEISURE * (time.monotonic() - began)))
        return more

    def _unsettled(self) -> list[Told]:
        told: dict[str, Any] = {"after": self._after, "longest": LONGEST_GRACE, "grace": GRACE, "batch": BATCH}
        with connections[self._domain].cursor() as cursor:
            cursor.execute(_UNSETTLED, told)
            return [Told(*row) for row in cursor.fetchall()]

    def _ask(self, consumer: str, told: Sequence[Told], findings: Findings) -> None:
        types = subscriptions().types_of(consumer, source=self._domain)
        mine = [row for row in told if row.event_type in types]
        if not mine:
            return
        try:
            answer = _listener(consumer).unheard(source=self._domain, event_ids=tuple(row.event_id for row in mine))
        except Unavailable as error:
            log.info("%s cannot say which events of %s it has: %s", consumer, self._domain, error)
            findings.open |= {row.event_id for row in mine}
            return
        findings.awaited += answer.awaited
        lost, on_their_way = self._sort(consumer, mine, answer)
        findings.missing |= lost
        findings.open |= on_their_way

    def _sort(self, consumer: str, mine: Sequence[Told], answer: Unheard) -> tuple[set[UUID], set[UUID]]:
        """A queue is first in, first out: what a later one has overtaken is lost, and so is what no queue holds."""
        missing = set(answer.events)
        if not missing:
            return set(), set()
        latest = max((row.published_at for row in mine if row.event_id not in missing), default=_THE_BEGINNING)
        overtaken = {row.event_id for row in mine if row.event_id in missing and row.published_at < latest}
        if overtaken == missing or self._queue_is_empty(consumer):
            return missing, set()
        return overtaken, missing - overtaken

    def _queue_is_empty(self, consumer: str) -> bool:
        return bool(self._with_broker(lambda connection: broker.depth_of(connection, consumer)) == 0)

    def _send_again(self, findings: Findings) -> None:
        if not findings.missing and not findings.awaited:
            return
        told: dict[str, Any] = {
            "missing": list(findings.missing),
            "waiting": [one.event_id for one in findings.awaited],
            "subjects": [one.subject for one in findings.awaited],
            "sequences": [one.sequence for one in findings.awaited],
            "longest": LONGEST_GRACE,
            "grace": GRACE,
        }
        with connections[self._domain].cursor() as cursor:
            cursor.execute(_SEND_AGAIN, told)
            count = cursor.rowcount
        if count:
            log.warning("%d events of %s did not come to everybody and are sent again", count, self._domain)
            # It may have lost more than messages.
            self._with_broker(lambda connection: broker.declare(connection, tuple(subscriptions().by_consumer)))

    def _with_broker(self, look: Callable[[Any], Any]) -> Any:
        """None while the broker is away: the relay says so, and nothing can be sent anyhow."""
        connection = self._app.connection_for_write(connect_timeout=5)
        try:
            with broker.reached(connection):
                return look(connection)
        except broker.outages_of(connection) as error:
            log.info("the broker cannot be asked: %s", error)
            return None


def _listener(consumer: str) -> Listener:
    contracts: Mapping[str, str] = settings.CONTRACTS
    ref: Ref[Listener] = import_string(contracts[consumer])
    return resolve(ref)
