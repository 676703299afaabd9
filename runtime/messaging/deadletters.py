"""
Events that a consumer could not handle, kept until a person has decided: run it again, or give it up.

A dead letter is a parked row of the inbox. The later events of its aggregate wait behind it; all others flow.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest

from contracts._base import Rejected
from runtime.audit.store import Decision, Deed, write
from runtime.databases.clock import Now
from runtime.databases.rows import insert_once
from runtime.messaging import inbox
from runtime.messaging.models import InboxMessage, InboxPosition

UNREADABLE = "(unreadable)"
"""The type of what is no event at all. It has no aggregate, so that nothing waits behind it."""

PARKED = Q(parked_at__isnull=False, handled_at=None)

_NAMESPACE = UUID("6f1d3f5c-6a0e-5d0b-9a55-4f2f3a6f0c11")
_LARGEST_KEPT = 256 * 1024


class NotParked(Rejected):
    """There is no dead letter of this id here: it was run again, or given up, or never was one."""

    code = "not_parked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a dead letter, and how many later events of its aggregate had waited for that."""

    event_id: UUID
    event_type: str
    subject: str
    waiting: int


def parked(*, consumer: str) -> QuerySet[InboxMessage]:
    """The dead letters of a consumer, the oldest first, with the number of events that wait behind each."""
    rows = InboxMessage.objects.using(consumer).filter(PARKED).order_by("parked_at", "event_id")
    return waiting_behind(rows, consumer=consumer)


def waiting_behind(rows: QuerySet[InboxMessage], *, consumer: str) -> QuerySet[InboxMessage]:
    """With ``waiting``: how many later events of its aggregate each row holds up."""
    behind = (
        InboxMessage.objects.using(consumer)
        .filter(source=OuterRef("source"), subject=OuterRef("subject"), handled_at=None)
        .filter(sequence__gt=OuterRef("sequence"))
        .order_by()
        .values("subject")
        .annotate(count=Count("*"))
        .values("count")
    )
    return rows.annotate(waiting=Coalesce(Subquery(behind), 0))


def facts_of(row: InboxMessage) -> dict[str, Any]:
    """What an audit row says of it, as plain JSON."""
    return {"event": row.event_type, "subject": row.subject, "attempts": row.attempts, "error": row.error}


def replay(event_id: UUID, decision: Decision | None, *, consumer: str) -> Taken:
    """
    Have it run again as if it had just come, with all its attempts before it. Raises NotParked.

    Said twice, it runs once: the second time it is parked no longer. None for ``decision``: the caller writes the audit
    row.
    """
    with transaction.atomic(using=consumer):
        row = _locked(event_id, consumer=consumer)
        _row(row, consumer).update(parked_at=None, attempts=0, due_at=Now())
        if decision is not None:
            _write_down(row, decision, "replay_event", consumer=consumer)
    return _taken(row)


def discard(event_id: UUID, decision: Decision | None, *, consumer: str) -> Taken:
    """
    Give it up: it will have no effect here, ever, and the later events of its aggregate go on. Raises NotParked.

    The row stays, with its error, for as long as the inbox keeps what was handled.
    """
    with transaction.atomic(using=consumer):
        row = _locked(event_id, consumer=consumer)
        _row(row, consumer).update(handled_at=Now(), discarded_at=Now(), parked_at=None)
        if row.event_type != UNREADABLE:
            _step_over(row, consumer=consumer)
        if decision is not None:
            _write_down(row, decision, "discard_event", consumer=consumer)
    return _taken(row)


def keep_unreadable(raw: bytes | str | dict[str, Any], reason: str, *, consumer: str) -> None:
    """Park what came off a queue and is no event that can be read, once however often it comes."""
    text = raw if isinstance(raw, str) else json.dumps(raw) if isinstance(raw, dict) else raw.decode(errors="replace")
    kept = text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:_LARGEST_KEPT]
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    row = InboxMessage(
        event_id=uuid5(_NAMESPACE, digest),
        event_type=UNREADABLE,
        source="",
        subject=digest[:16],
        sequence=0,
        envelope={"raw": kept},
        parked_at=Now(),
        due_at=None,
        error=reason[:2000],
    )
    insert_once(row, using=consumer)


def _locked(event_id: UUID, *, consumer: str) -> InboxMessage:
    rows = InboxMessage.objects.using(consumer).select_for_update(of=("self",)).filter(PARKED, pk=event_id)
    row = waiting_behind(rows, consumer=consumer).first()
    if row is None:
        raise NotParked(event_id=str(event_id))
    return row


def _row(row: InboxMessage, consumer: str) -> QuerySet[InboxMessage]:
    return InboxMessage.objects.using(consumer).filter(pk=row.pk)


def _step_over(row: InboxMessage, *, consumer: str) -> None:
    """As if it had been handled: those that wait for it are due."""
    position = InboxPosition(source=row.source, subject=row.subject, last=row.sequence)
    if not insert_once(position, using=consumer):
        InboxPosition.objects.using(consumer).filter(source=row.source, subject=row.subject).update(
            last=Greatest(F("last"), row.sequence)
        )
    inbox.wake(consumer=consumer)


def _taken(row: InboxMessage) -> Taken:
    waiting: Any = getattr(row, "waiting", 0)
    return Taken(event_id=row.event_id, event_type=row.event_type, subject=row.subject, waiting=int(waiting))


def _write_down(row: InboxMessage, decision: Decision, verb: str, *, consumer: str) -> None:
    """In the transaction of the deed: neither is there without the other."""
    deed = Deed(
        action=f"{consumer}.{verb}",
        object_type="deadletters",
        object_id=str(row.event_id),
        reason=decision.reason,
        before=facts_of(row),
        after={},
    )
    write(deed, operator=decision.operator, key=decision.key, using=consumer)
