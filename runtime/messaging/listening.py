"""What a domain answers when somebody asks which of their events have come: the other end of the reconciler."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db.models import OuterRef, Subquery

from contracts._base import Awaited, Unheard
from runtime.messaging.models import InboxMessage

_AT_ONCE = 500
"""How many events that are waited for are told in one answer."""


class Listening:
    """Implements contracts._base.Listener for the service of the domain that it names."""

    domain: ClassVar[str]

    def unheard(self, *, source: str, event_ids: tuple[UUID, ...]) -> Unheard:
        inbox = InboxMessage.objects.using(self.domain)
        come = set(inbox.filter(event_id__in=event_ids).values_list("event_id", flat=True))
        before = inbox.filter(source=OuterRef("source"), subject=OuterRef("subject"), sequence=OuterRef("after"))
        waiting = (
            inbox.filter(source=source, handled_at=None, parked_at=None, due_at=None)
            .annotate(before=Subquery(before.values("event_id")[:1]))
            .filter(before=None)
            .values_list("event_id", "subject", "after")[:_AT_ONCE]
        )
        return Unheard(
            events=tuple(event_id for event_id in event_ids if event_id not in come),
            awaited=tuple(
                Awaited(event_id=one, subject=subject, sequence=after)
                for one, subject, after in waiting
                if after is not None
            ),
        )
