"""Events that a domain could not handle, as an operator sees them: the error, the event, and two buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from runtime.console.actions import Action
from runtime.console.filters import condition_filter
from runtime.console.forms import ActionForm, text
from runtime.console.panels import badge, pretty
from runtime.console.records import SubjectRecords, as_uuid
from runtime.messaging import deadletters
from runtime.messaging.models import InboxMessage

__all__ = ["DeadLetterPages"]


class _Reason(ActionForm):
    reason = text("Reason", longest=200, help_text="Say, what was mended, or why it may be given up.")


class _Decision(Action[InboxMessage]):
    form = _Reason
    permission: ClassVar[str]

    def is_legal(self, row: InboxMessage) -> bool:
        return row.parked_at is not None and row.handled_at is None

    def facts(self, row: InboxMessage) -> Mapping[str, Any]:
        return deadletters.facts_of(row)


class Replay(_Decision):
    name = "replay-event"
    title = "Run again"
    icon = "replay"

    def __init__(self, domain: str) -> None:
        self.permission = f"{domain}.decide_events"  # type: ignore[misc]  # each domain's own

    def preview(self, row: InboxMessage) -> Sequence[str]:
        return (
            "The event runs again as if it had just come, with all its attempts before it.",
            f"{_waiting(row)} of the same subject follow once it is handled.",
        )

    def run(self, row: InboxMessage, given: Mapping[str, Any], *, key: str) -> str:
        deadletters.replay(row.pk, None, consumer=row._meta.app_label)
        return f"{row.event_type} runs again within a second. Where it fails once more, it comes back here."


class Discard(_Decision):
    name = "discard-event"
    title = "Give up"
    icon = "delete"
    dangerous = True

    def __init__(self, domain: str) -> None:
        self.permission = f"{domain}.decide_events"  # type: ignore[misc]  # each domain's own

    def preview(self, row: InboxMessage) -> Sequence[str]:
        return (
            "The event will never have its effect here. What it should have done has to be done by hand.",
            f"{_waiting(row)} of the same subject go on without it.",
        )

    def run(self, row: InboxMessage, given: Mapping[str, Any], *, key: str) -> str:
        taken = deadletters.discard(row.pk, None, consumer=row._meta.app_label)
        return f"{row.event_type} is given up; {taken.waiting} later events go on."


class DeadLetterPages(SubjectRecords):
    list_display = ("event_type", "about", "sequence", "failed", "attempts", "waiting", "parked_at")
    list_filter = (
        condition_filter(
            "kind",
            "kind",
            {"event": ~Q(event_type=deadletters.UNREADABLE), "unreadable": Q(event_type=deadletters.UNREADABLE)},
        ),
    )
    search_ids = ("event_id", "subject")
    search_fields = ("event_type", "subject", "source", "error")
    search_help_text = "An event's id, its subject (an order's id, a sku), its type or words of its error"
    ordering = ("parked_at", "event_id")
    fields = (
        "event_id", "event_type", "source", "about", "sequence", "failed", "attempts", "waiting", "received_at",
        "parked_at", "content",
    )  # fmt: skip
    readonly_fields = ("about", "failed", "waiting", "content")

    def __init__(self, model: Any, site: Any) -> None:
        super().__init__(model, site)
        self.offers = (Replay(self.domain), Discard(self.domain))  # type: ignore[misc]  # each domain's own

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self._all(request).filter(deadletters.PARKED)

    def find(self, request: HttpRequest, object_id: str) -> Any:
        """Also one that was decided about, so that whoever decided sees what became of it."""
        event_id = as_uuid(object_id)
        return self._all(request).filter(pk=event_id).first() if event_id else None

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return self.find(request, object_id)

    def _all(self, request: HttpRequest) -> QuerySet[Any]:
        return deadletters.waiting_behind(super().get_queryset(request), consumer=self.domain)

    @admin.display(description="error")
    def failed(self, row: InboxMessage) -> SafeString:
        return badge((row.error or "")[:120], "bad")

    @admin.display(description="waiting behind it")
    def waiting(self, row: InboxMessage) -> int:
        return int(getattr(row, "waiting", 0))

    @admin.display(description="envelope")
    def content(self, row: InboxMessage) -> SafeString:
        return pretty(row.envelope)


def _waiting(row: InboxMessage) -> str:
    count = int(getattr(row, "waiting", 0))
    return "One later event" if count == 1 else f"{count} later events"
