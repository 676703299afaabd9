"""
Sees to it that an event has one effect on a consumer, however often it arrives, and in its aggregate's order.

What arrived is written down first, with the attempt counted, in a transaction of its own; then the handler runs and
the row is marked in one transaction. Whatever dies in between, the row is there to be run again from.
"""

from __future__ import annotations

import json
import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from contracts._base import Event
from runtime.codec import NotDecodable, from_plain
from runtime.codec.upcasting import NoWayUp, upcast
from runtime.databases.clock import Now
from runtime.messaging.attempts import Attempt, attempted
from runtime.messaging.counting import count_try
from runtime.messaging.envelope import Envelope, as_json, read
from runtime.messaging.models import InboxMessage
from runtime.messaging.prepared import Prepared
from runtime.messaging.subscriptions import handlers_of
from runtime.telemetry.crashpoints import crashpoint

log = logging.getLogger(__name__)

LONGEST_WAIT = 15.0
"""Seconds between two tries, at the most."""

RUN_AT_MOST = timedelta(seconds=10)
"""While this runs out nobody else runs the event: a worker may just be at it. A statement may take 5 s."""

_NUDGE_AGAIN = timedelta(seconds=5)
"""A nudge that was lost on its way is given again after this time."""

_COLUMNS = "event_id, event_type, source, subject, sequence, after, envelope, attempts, due_at"
_VALUES = (
    "%(event_id)s, %(event_type)s, %(source)s, %(subject)s, %(sequence)s, %(after)s, %(envelope)s::jsonb, %(attempts)s,"
    " clock_now() + %(run_at_most)s"
)

# A copy that comes while the event is being run, or before its next try is due, changes nothing: the row is the retry.
_RECEIVE = f"""
INSERT INTO messaging_inboxmessage ({_COLUMNS}) VALUES ({_VALUES})
ON CONFLICT (event_id) DO UPDATE
    SET attempts = messaging_inboxmessage.attempts + 1, due_at = clock_now() + %(run_at_most)s, after = EXCLUDED.after,
        envelope = EXCLUDED.envelope
    WHERE messaging_inboxmessage.handled_at IS NULL AND messaging_inboxmessage.parked_at IS NULL
      AND (messaging_inboxmessage.due_at <= clock_now() OR messaging_inboxmessage.due_at IS NULL)
RETURNING attempts
"""

_NOTE = f"INSERT INTO messaging_inboxmessage ({_COLUMNS}) VALUES ({_VALUES}) ON CONFLICT (event_id) DO NOTHING"

# An event is found by its id, and those that wait for it by their aggregate. Conditions on several columns are asked of
# them together: asked one by one, they are those of the index of all that is due, and PostgreSQL was seen to read that
# one from end to end instead.

# Only whoever was nudged for this very attempt: a nudge that killed its worker and comes again finds a higher number.
_CLAIM = """
UPDATE messaging_inboxmessage SET attempts = attempts + 1, due_at = clock_now() + %s
WHERE event_id = %s AND attempts = %s AND COALESCE(handled_at, parked_at) IS NULL
RETURNING attempts, envelope
"""

# The position's row is locked until the effect is committed, so one event of an aggregate runs at a time. It moves only
# from where this event says that it follows. The next one, if it waits already, is due with the same commit.
_BEGIN = """
WITH moved AS (
    INSERT INTO messaging_inboxposition AS p (source, subject, last)
    SELECT %(source)s, %(subject)s, %(sequence)s
    WHERE %(after)s IS NULL
       OR EXISTS (SELECT 1 FROM messaging_inboxposition WHERE source = %(source)s AND subject = %(subject)s)
    ON CONFLICT (source, subject) DO UPDATE SET last = GREATEST(p.last, EXCLUDED.last)
        WHERE %(after)s IS NULL OR p.last >= %(after)s
    RETURNING last
), handled AS (
    UPDATE messaging_inboxmessage SET handled_at = clock_now(), error = NULL
    WHERE event_id = %(event_id)s AND COALESCE(handled_at, parked_at) IS NULL AND EXISTS (SELECT 1 FROM moved)
    RETURNING event_id
), next AS (
    UPDATE messaging_inboxmessage SET due_at = clock_now()
    WHERE source = %(source)s AND subject = %(subject)s AND after = %(sequence)s AND event_id <> %(event_id)s
      AND handled_at IS NULL AND COALESCE(parked_at, due_at) IS NULL AND EXISTS (SELECT 1 FROM handled)
    RETURNING event_id, attempts
)
SELECT (SELECT count(*) FROM handled), next.event_id, next.attempts FROM (SELECT 1) AS one LEFT JOIN next ON true
"""

_PLACE = {"event_id": "uuid", "source": "text", "subject": "text", "sequence": "bigint", "after": "bigint"}
_RECEIVING = Prepared(
    "inbox_receive", _RECEIVE, **_PLACE, event_type="text", envelope="text", attempts="int", run_at_most="interval"
)
_BEGINNING = Prepared("inbox_begin", _BEGIN, **_PLACE)

_WAKE = """
UPDATE messaging_inboxmessage m SET due_at = clock_now() FROM messaging_inboxposition p
WHERE m.due_at IS NULL AND m.handled_at IS NULL AND m.parked_at IS NULL
  AND p.source = m.source AND p.subject = m.subject AND p.last >= m.after
"""


class Unreadable(ValueError):
    """This event cannot be read here, however often it is tried."""


class _NotItsTurn(Exception):
    """An earlier event of the aggregate has not been handled here, or this one has been meanwhile."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An event whose next try is due: which one, and how often it was tried."""

    event_id: UUID
    attempts: int


def receive(envelope: Envelope, *, consumer: str) -> None:
    """
    Have this event's effect on the consumer, unless it happened already or is not due.

    A handler's failure is written to the inbox and tried again later, or parked; it is not raised.
    """
    with connections[consumer].cursor() as cursor:
        _RECEIVING.execute(cursor, _row(envelope, consumer=consumer, attempts=1, run_at_most=RUN_AT_MOST))
        counted = cursor.fetchone()
    if counted is not None:
        _run_with_followers(envelope, attempts=counted[0], consumer=consumer)


def note(envelope: Envelope, *, consumer: str) -> None:
    """Write an event down for its first try, where it is not known yet."""
    with connections[consumer].cursor() as cursor:
        cursor.execute(_NOTE, _row(envelope, consumer=consumer, attempts=0, run_at_most=timedelta(0)))


def retry(turn: Turn, *, consumer: str) -> None:
    """Run an event again from the inbox's own copy, unless somebody has done so since."""
    found = _claim(turn, consumer=consumer)
    if found is not None:
        attempts, envelope = found
        _run_with_followers(envelope, attempts=attempts, consumer=consumer)


def take_due(*, consumer: str, limit: int) -> list[Turn]:
    """The events whose next try is due, each given to one caller only. One that is not taken up is given again."""
    with transaction.atomic(using=consumer):
        rows = list(
            InboxMessage.objects.using(consumer)
            .select_for_update(skip_locked=True)
            .filter(handled_at=None, parked_at=None, due_at__lte=Now())
            .order_by("due_at", "event_id")
            .values_list("event_id", "attempts")[:limit]
        )
        if rows:
            taken = InboxMessage.objects.using(consumer).filter(event_id__in=[event_id for event_id, _ in rows])
            taken.update(due_at=Now() + _NUDGE_AGAIN)
    return [Turn(*row) for row in rows]


def wake(*, consumer: str) -> int:
    """Make due what waits for an event that has been handled. How many there were."""
    with connections[consumer].cursor() as cursor:
        cursor.execute(_WAKE)
        return int(cursor.rowcount)


# --- One run ----------------------------------------------------------------------------------------------------------


def _run_with_followers(envelope: Envelope, *, attempts: int, consumer: str) -> None:
    """Run it, and then those that waited for it."""
    crashpoint("consumer.after_receive")
    follower = _run(envelope, attempts=attempts, consumer=consumer)
    while follower is not None and (found := _claim(follower, consumer=consumer)) is not None:
        attempts, envelope = found
        follower = _run(envelope, attempts=attempts, consumer=consumer)


def _run(envelope: Envelope, *, attempts: int, consumer: str) -> Turn | None:
    """The one that waited for it, if it was handled."""
    with attempted(envelope, consumer=consumer, attempts=attempts) as attempt:
        return _try(attempt, envelope, attempts=attempts, consumer=consumer)


def _try(attempt: Attempt, envelope: Envelope, *, attempts: int, consumer: str) -> Turn | None:
    if attempts > settings.EVENT_ATTEMPTS:
        attempt.ended("parked")
        _park(envelope, f"It ended the process that ran it, {settings.EVENT_ATTEMPTS} times.", consumer=consumer)
        return None
    try:
        return _handle(envelope, consumer=consumer)
    except _NotItsTurn:
        count_try(envelope.event_type, consumer=consumer, result="waiting")
        # To wait is no attempt.
        attempt.ended("waits")
        _open(envelope, consumer=consumer).update(due_at=None, attempts=F("attempts") - 1)
    except Unreadable as error:
        attempt.ended("parked", error)
        _park(envelope, f"{error}", consumer=consumer)
    except Exception as error:  # a handler may fail in any way: what matters is that the event is kept
        log.exception("%s could not handle %s %s", consumer, envelope.event_type, envelope.event_id)
        reason = f"{type(error).__name__}: {error}"
        attempt.ended("failed", error)
        if attempts >= settings.EVENT_ATTEMPTS:
            attempt.ended("parked", error)
            _park(envelope, reason, consumer=consumer)
        else:
            count_try(envelope.event_type, consumer=consumer, result="failed")
            due_at = Now() + timedelta(seconds=_wait_after(attempts))
            _open(envelope, consumer=consumer).update(due_at=due_at, error=reason[:2000])
    return None


def _handle(envelope: Envelope, *, consumer: str) -> Turn | None:
    """The effect, the mark and what the handler publishes: all in one transaction, or nothing of it."""
    event_type, handler = handlers_of(consumer).find(envelope.event_type)
    event = _event(envelope, event_type, consumer=consumer)
    with transaction.atomic(using=consumer):
        with connections[consumer].cursor() as cursor:
            _BEGINNING.execute(cursor, _place(envelope, consumer=consumer))
            handled, *follower = cursor.fetchone() or (0, None, None)
        if not handled:
            raise _NotItsTurn
        handler(event)
        crashpoint("consumer.after_effect_before_commit")
    count_try(envelope.event_type, consumer=consumer, result="handled")
    crashpoint("consumer.after_commit_before_ack")
    return Turn(*follower) if follower[0] is not None else None


def _event(envelope: Envelope, event_type: type[Event], *, consumer: str) -> Any:
    """Raises Unreadable."""
    upcasters = handlers_of(consumer).upcasters
    name, version, wanted = envelope.event_type, envelope.version, event_type.version
    try:
        data = upcast(envelope.data, name=name, version=version, wanted=wanted, upcasters=upcasters)
        return from_plain(data, event_type)
    except (NoWayUp, NotDecodable) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _claim(turn: Turn, *, consumer: str) -> tuple[int, Envelope] | None:
    told: list[Any] = [RUN_AT_MOST, turn.event_id, turn.attempts]
    with connections[consumer].cursor() as cursor:
        cursor.execute(_CLAIM, told)
        found = cursor.fetchone()
    # Columns of jsonb come as text: Django reads them in its models only.
    return None if found is None else (found[0], read(json.loads(found[1])))


def _open(envelope: Envelope, *, consumer: str) -> QuerySet[InboxMessage]:
    """Its row, unless it was handled or parked meanwhile."""
    rows = InboxMessage.objects.using(consumer).alias(ended_at=Coalesce("handled_at", "parked_at"))
    return rows.filter(event_id=envelope.event_id, ended_at=None)


def _park(envelope: Envelope, reason: str, *, consumer: str) -> None:
    """It waits for a person from now on, and the later events of its aggregate wait behind it."""
    count_try(envelope.event_type, consumer=consumer, result="parked")
    log.error("%s %s of %s is parked: %s", envelope.event_type, envelope.event_id, envelope.source, reason)
    _open(envelope, consumer=consumer).update(parked_at=Now(), due_at=None, error=reason[:2000])


def _wait_after(attempts: int) -> float:
    return float(min(LONGEST_WAIT, 0.5 * 2**attempts)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret


def _place(envelope: Envelope, *, consumer: str) -> dict[str, Any]:
    """Which event it is, and where it stands among those of its aggregate."""
    return {
        "event_id": envelope.event_id,
        "source": envelope.source,
        "subject": envelope.subject,
        "sequence": envelope.sequence,
        "after": envelope.after.get(consumer),
    }


def _row(envelope: Envelope, *, consumer: str, attempts: int, run_at_most: timedelta) -> dict[str, Any]:
    return {
        **_place(envelope, consumer=consumer),
        "event_type": envelope.event_type,
        "envelope": as_json(envelope),
        "attempts": attempts,
        "run_at_most": run_at_most,
    }
