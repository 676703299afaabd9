"""
Runtime's tables as a domain's records: the outbox, the inbox, the processes and what operators did.

They are proxies with the domain's label, so that their pages have the same address in every topology. They live in a
registry of their own: migrations, which belong to runtime's apps, never see them. Lists are in order of id, which is
that of time, and which has an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.apps import AppConfig
from django.apps.registry import Apps
from django.conf import settings
from django.contrib import admin
from django.db.models import Model, Q
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contracts._base import Figure
from runtime.audit.models import AuditEntry
from runtime.console.deadletters import DeadLetterPages
from runtime.console.dynamic_values import ValuePages
from runtime.console.figures import count
from runtime.console.filters import condition_filter, value_filter
from runtime.console.panels import Panel, badge, link, moment, pretty, short
from runtime.console.records import Records, SubjectRecords, address_of_list, as_uuid
from runtime.console.sagas import Compensate, Retry
from runtime.console.workers import WorkerPages
from runtime.dynconf.models import DynamicValue
from runtime.messaging import deadletters
from runtime.messaging.models import InboxMessage, OutboxMessage
from runtime.pulses.models import Pulse
from runtime.saga.attention import step_of
from runtime.saga.models import SagaRun

__all__ = ["WAITING_TO_BE_HANDLED", "machinery_figures", "register_machinery", "runs_of"]

_STATE_TONES = {
    SagaRun.RUNNING: "open",
    SagaRun.COMPENSATING: "open",
    SagaRun.COMPLETED: "good",
    SagaRun.COMPENSATED: "news",
    SagaRun.NEEDS_ATTENTION: "bad",
}
_RESULT_TONES = {"succeeded": "good", "failed": "bad", "waiting": "open", "unknown": "open", "unavailable": "open"}

_WAITING_TO_BE_SENT = Q(published_at=None, wanted=True)
WAITING_TO_BE_HANDLED = Q(handled_at=None)


class _Place(AppConfig):
    """As much of an app as a template asks of one: its name, and that it has no models beside the real ones."""

    path = ""

    def __init__(self, domain: str) -> None:
        super().__init__(domain, None)

    def get_models(self, *args: bool, **kwargs: bool) -> list[type[Model]]:  # type: ignore[override]  # none
        return []


_registry = Apps()


def register_machinery(domain: str) -> None:
    """Pages for runtime's tables in this domain's schema."""
    for model, pages, one, many in (
        (OutboxMessage, OutboxPages, "event told", "events told"),
        (InboxMessage, DeadLetterPages, "dead letter", "dead letters"),
        (InboxMessage, InboxPages, "event heard", "events heard"),
        (SagaRun, RunPages, "process", "processes"),
        (Pulse, WorkerPages, "worker or relay", "workers and relays"),
        (AuditEntry, AuditPages, "audit entry", "audit entries"),
    ):
        name = "DeadLetters" if pages is DeadLetterPages else model.__name__
        admin.site.register(_proxy(model, domain, name, one, many), pages)
    if domain == settings.DYNAMIC_DOMAIN:
        admin.site.register(_proxy(DynamicValue, domain, "DynamicValue", "setting", "settings"), ValuePages)


def runs_of(subject: UUID, *, using: str) -> Sequence[Panel]:
    """A table for each process that this subject went through: what was tried, and what came of it."""
    runs = SagaRun.objects.using(using).filter(subject=subject).order_by("created_at")
    return [_log_of(run, using) for run in runs]


def _proxy(model: type[Model], domain: str, name: str, one: str, many: str) -> type[Model]:
    _registry.app_configs.setdefault(domain, _Place(domain))
    options = {"proxy": True, "app_label": domain, "apps": _registry, "verbose_name": one, "verbose_name_plural": many}
    return type(name, (model,), {"__module__": __name__, "Meta": type("Meta", (), options)})


def machinery_figures(domain: str) -> tuple[Figure, ...]:
    """What is under way in runtime's tables, for the first page: the same figures for every domain."""
    unsent = OutboxMessage.objects.using(domain).filter(_WAITING_TO_BE_SENT).count()
    unhandled = InboxMessage.objects.using(domain).filter(WAITING_TO_BE_HANDLED).count()
    parked = InboxMessage.objects.using(domain).filter(deadletters.PARKED).count()
    stuck = SagaRun.objects.using(domain).filter(state=SagaRun.NEEDS_ATTENTION).count()
    return (
        count(
            "Processes that need attention",
            stuck,
            address_of_list(domain, "sagarun", state=SagaRun.NEEDS_ATTENTION),
            alarming=True,
        ),
        count("Dead letters", parked, address_of_list(domain, "deadletters"), alarming=True),
        count("Events not sent yet", unsent, address_of_list(domain, "outboxmessage", sent="waiting")),
        count("Events not handled yet", unhandled, address_of_list(domain, "inboxmessage", handled="waiting")),
    )


class OutboxPages(SubjectRecords):
    list_display = ("event_type", "about", "sequence", "state", "attempts", "created_at", "published_at")
    list_filter = (
        condition_filter(
            "sent",
            "sent",
            {
                "waiting": _WAITING_TO_BE_SENT,
                "failing": _WAITING_TO_BE_SENT & Q(attempts__gt=0),
                "sent": Q(published_at__isnull=False),
                "nobody_listens": Q(wanted=False, published_at=None),
            },
        ),
    )
    search_ids = ("event_id", "subject")
    search_fields = ("event_type", "subject", "routing_key")
    search_help_text = "An event's id, its subject (an order's id, a sku), its type or its routing key"
    ordering = ("-event_id",)
    fields = (
        "event_id", "event_type", "version", "exchange", "routing_key", "about", "sequence", "state", "created_at",
        "published_at", "attempts", "due_at", "error", "traceparent", "content",
    )  # fmt: skip
    readonly_fields = ("about", "state", "content")

    @admin.display(description="state")
    def state(self, row: OutboxMessage) -> SafeString:
        if row.published_at is not None:
            return badge("sent", "good")
        return badge("waiting", "open") if row.wanted else badge("nobody listens")

    @admin.display(description="data")
    def content(self, row: OutboxMessage) -> SafeString:
        return pretty(row.data)


class InboxPages(SubjectRecords):
    list_display = ("event_type", "source", "about", "sequence", "state", "attempts", "received_at", "handled_at")
    list_filter = (
        condition_filter(
            "handled",
            "handled",
            {
                "waiting": WAITING_TO_BE_HANDLED,
                "failing": WAITING_TO_BE_HANDLED & Q(error__isnull=False, parked_at=None),
                "parked": WAITING_TO_BE_HANDLED & Q(parked_at__isnull=False),
                "handled": Q(handled_at__isnull=False),
            },
        ),
    )
    search_ids = ("event_id", "subject")
    search_fields = ("event_type", "subject", "source")
    search_help_text = "An event's id, its subject (an order's id, a sku), its type or where it came from"
    ordering = ("-event_id",)
    fields = (
        "event_id", "event_type", "source", "about", "sequence", "state", "received_at", "handled_at", "attempts",
        "due_at", "error", "content",
    )  # fmt: skip
    readonly_fields = ("about", "state", "content")

    @admin.display(description="state")
    def state(self, row: InboxMessage) -> SafeString:
        if row.handled_at is not None:
            return badge("handled", "good")
        if row.parked_at is not None:
            return badge("parked", "bad")
        return badge("failing", "bad") if row.error else badge("waiting", "open")

    @admin.display(description="envelope")
    def content(self, row: InboxMessage) -> SafeString:
        return pretty(row.envelope)


class RunPages(SubjectRecords):
    list_display = ("definition", "about", "status", "stands_at", "attempts", "due_at", "updated_at")
    list_filter = (value_filter("state", "state", list(_STATE_TONES)),)
    search_ids = ("id", "subject")
    search_fields = ("definition", "subject", "error")
    search_help_text = "A process's id, its subject (an order's id), its name or its error"
    ordering = ("-id",)
    fields = (
        "id", "definition", "version", "about", "status", "stands_at", "step_at", "inquiring", "epoch", "attempts",
        "lease_until", "due_at", "deadline_at", "created_at", "updated_at", "error", "refused", "content",
    )  # fmt: skip
    readonly_fields = ("about", "status", "stands_at", "refused", "content")

    def __init__(self, model: Any, site: Any) -> None:
        super().__init__(model, site)
        self.offers = (Retry(self.domain), Compensate(self.domain))  # type: ignore[misc]  # each domain's own

    def panels(self, row: SagaRun) -> Sequence[Panel]:
        return [_log_of(row, self.domain, titled="What was tried")]

    @admin.display(description="state", ordering="state")
    def status(self, row: SagaRun) -> SafeString:
        return badge(row.state, _STATE_TONES.get(row.state, "plain"))

    @admin.display(description="step")
    def stands_at(self, row: SagaRun) -> str:
        return step_of(row)

    @admin.display(description="refusal")
    def refused(self, row: SagaRun) -> SafeString | str:
        return pretty(row.refusal) if row.refusal else ""

    @admin.display(description="data")
    def content(self, row: SagaRun) -> SafeString:
        return pretty(row.data)


class AuditPages(Records):
    list_display = ("at", "who", "action", "what", "reason")
    search_ids = ("id", "operator", "object_id", "key")
    search_fields = ("action", "object_id", "reason")
    search_help_text = "An operator's id, an action, a record's id or words of a reason"
    ordering = ("-id",)
    fields = ("id", "at", "who", "action", "what", "reason", "key", "request_id")
    readonly_fields = ("who", "what")

    def panels(self, row: AuditEntry) -> Sequence[Panel]:
        names = list(dict.fromkeys([*row.before, *row.after]))
        changed = [(name, row.before.get(name, ""), row.after.get(name, "")) for name in names]
        return [Panel(title="Before and after", headers=("", "Before", "After"), rows=changed)]

    @admin.display(description="operator", ordering="operator")
    def who(self, row: AuditEntry) -> SafeString:
        return link(address_of_list("users", "user", q=str(row.operator)), short(row.operator))

    @admin.display(description="record")
    def what(self, row: AuditEntry) -> SafeString:
        address = address_of_list(self.domain, row.object_type, q=row.object_id)
        record = short(row.object_id) if as_uuid(row.object_id) else row.object_id
        return link(address, format_html("{} {}", row.object_type, record))


def _log_of(run: SagaRun, domain: str, *, titled: str = "") -> Panel:
    state = badge(run.state, _STATE_TONES.get(run.state, "plain"))
    return Panel(
        title=titled or f"Process {run.definition}",
        aside=state,
        headers=("Step", "Tried", "Result", "Times", "Last at (UTC)", "Detail"),
        rows=[
            (
                entry.get("step", ""),
                entry.get("action", ""),
                badge(entry.get("result", ""), _RESULT_TONES.get(entry.get("result", ""), "plain")),
                entry.get("tries", ""),
                moment(entry.get("at")),
                entry.get("detail", ""),
            )
            for entry in run.log
        ],
        empty="Nothing is noted: it went through at once, or has not begun.",
        address=f"{address_of_list(domain, 'sagarun')}{run.id}/change/",
    )
