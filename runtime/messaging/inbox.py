"""
Sees to it that an event has one effect on a consumer, however often it arrives.

What arrived is written down first, with the attempt counted, in a transaction of its own; then the handler runs and
the row is marked in one transaction. Whatever dies in between, the row is there to be run again from.
"""

from __future__ import annotations

import json
import logging
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from runtime.codec import from_plain
from runtime.databases.clock import Now
from runtime.messaging.envelope import Envelope, read, write
from runtime.messaging.models import InboxMessage
from runtime.messaging.subscriptions import handlers_of
from runtime.telemetry.crashpoints import crashpoint

log = logging.getLogger(__name__)

LONGEST_WAIT = 15.0
"""Seconds between two tries, at the most."""

_RUN_AT_MOST = timedelta(seconds=30)
"""While this runs out, nobody else runs the event: a worker may just be at it."""

_RECEIVE = """
INSERT INTO messaging_inboxmessage
    (event_id, event_type, source, subject, sequence, envelope, attempts, due_at)
VALUES (%(event_id)s, %(event_type)s, %(source)s, %(subject)s, %(sequence)s, %(envelope)s::jsonb, 1,
        clock_now() + %(run_at_most)s)
ON CONFLICT (event_id) DO UPDATE
    SET attempts = messaging_inboxmessage.attempts + 1, due_at = clock_now() + %(run_at_most)s
    WHERE messaging_inboxmessage.handled_at IS NULL
RETURNING attempts
"""


def receive(envelope: Envelope, *, consumer: str) -> bool:
    """
    Have this event's effect on the consumer, unless it happened already. Whether it has happened now.

    A handler's failure is written to the inbox and tried again later; it is not raised.
    """
    row: dict[str, Any] = {
        "event_id": envelope.event_id,
        "event_type": envelope.event_type,
        "source": envelope.source,
        "subject": envelope.subject,
        "sequence": envelope.sequence,
        "envelope": json.dumps(write(envelope)),
        "run_at_most": _RUN_AT_MOST,
    }
    with connections[consumer].cursor() as cursor:
        cursor.execute(_RECEIVE, row)
        counted = cursor.fetchone()
    if counted is None:
        return True
    crashpoint("consumer.after_receive")
    try:
        return _handle(envelope, consumer=consumer)
    except Exception as error:  # a handler may fail in any way: what matters is that the event is kept
        log.exception("%s could not handle %s %s", consumer, envelope.event_type, envelope.event_id)
        _try_later(envelope.event_id, consumer=consumer, attempts=counted[0], error=f"{type(error).__name__}: {error}")
        return False


def retry(event_id: UUID, *, consumer: str) -> bool:
    """Run an event again from the inbox's own copy."""
    row = InboxMessage.objects.using(consumer).filter(event_id=event_id, handled_at=None).first()
    return row is None or receive(read(row.envelope), consumer=consumer)


def take_due(*, consumer: str, limit: int) -> list[UUID]:
    """The events whose next try is due, each given to one caller only."""
    with transaction.atomic(using=consumer):
        rows = list(
            InboxMessage.objects.using(consumer)
            .select_for_update(skip_locked=True)
            .filter(handled_at=None, due_at__lte=Now())
            .order_by("due_at")
            .values_list("event_id", flat=True)[:limit]
        )
        InboxMessage.objects.using(consumer).filter(event_id__in=rows).update(due_at=Now() + _RUN_AT_MOST)
    return rows


def _handle(envelope: Envelope, *, consumer: str) -> bool:
    event_type, handler = handlers_of(consumer).find(envelope.event_type)
    if envelope.version != event_type.version:
        raise UnknownVersion(f"{envelope.event_type} has version {envelope.version}, not {event_type.version}")
    event = from_plain(envelope.data, event_type)
    inbox = InboxMessage.objects.using(consumer)
    with transaction.atomic(using=consumer):
        row = inbox.select_for_update().get(event_id=envelope.event_id)
        if row.handled_at is not None:
            return True
        if _waits_for_an_earlier_one(row, consumer=consumer):
            inbox.filter(pk=row.pk).update(due_at=Now() + timedelta(seconds=1))
            return False
        handler(event)
        inbox.filter(pk=row.pk).update(handled_at=Now(), error=None)
        crashpoint("consumer.after_effect_before_commit")
    crashpoint("consumer.after_commit_before_ack")
    return True


class UnknownVersion(ValueError):
    """This event is written in a version that is not known here."""


def _waits_for_an_earlier_one(row: InboxMessage, *, consumer: str) -> bool:
    """Events of one aggregate are handled in its order: an earlier one that failed holds back the later ones."""
    return (
        InboxMessage.objects.using(consumer)
        .filter(source=row.source, subject=row.subject, sequence__lt=row.sequence, handled_at=None)
        .exists()
    )


def _try_later(event_id: UUID, *, consumer: str, attempts: int, error: str) -> None:
    wait = min(LONGEST_WAIT, 0.5 * 2**attempts) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
    InboxMessage.objects.using(consumer).filter(event_id=event_id, handled_at=None).update(
        due_at=Now() + timedelta(seconds=wait), error=error[:2000]
    )
