"""Who works for a domain, as an operator sees it: who was heard of when, and the button that starts one anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString

from runtime.console.actions import Action
from runtime.console.filters import value_filter
from runtime.console.forms import ActionForm, text
from runtime.console.panels import badge
from runtime.console.records import Records
from runtime.databases.clock import Now
from runtime.pulses.models import Pulse
from runtime.pulses.reading import MISSED_AFTER, ROLES

__all__ = ["WorkerPages"]


class _Reason(ActionForm):
    reason = text("Reason", longest=200, help_text="Say, what was seen of it.")


class StartAnew(Action[Pulse]):
    """Done by the supervisor that started the process; where there is none, the button is not there."""

    name = "start-anew"
    title = "Start anew"
    icon = "restart_alt"
    form = _Reason
    permission: ClassVar[str]

    def __init__(self, domain: str) -> None:
        self.permission = f"{domain}.start_anew"  # type: ignore[misc]  # each domain's own

    def is_legal(self, row: Pulse) -> bool:
        return bool(_named(row))

    def facts(self, row: Pulse) -> Mapping[str, Any]:
        return {"role": row.role, "host": row.host, "process": row.pid}

    def preview(self, row: Pulse) -> Sequence[str]:
        names = " and ".join(_named(row))
        return (
            f"{names} is started anew: the next one is ready before this one is told to end.",
            "One that hangs is ended by force a few seconds later. What it had begun is taken up by the next.",
        )

    def run(self, row: Pulse, given: Mapping[str, Any], *, key: str) -> str:
        start: Callable[..., None] = import_string(settings.CONSOLE_START_ANEW)
        names = _named(row)
        start(names=names, key=key)
        return f"{' and '.join(names)} is being started anew, which takes a few seconds."


class WorkerPages(Records):
    list_display = ("role", "host", "pid", "state", "started_at", "beaten_at")
    list_filter = (value_filter("role", "role", ROLES),)
    ordering = ("-id",)
    search_ids = ("id",)
    search_fields = ("role", "host", "=pid")
    search_help_text = "A role, a host or a process's number"
    fields = ("id", "role", "host", "pid", "state", "said", "ails_since", "started_at", "beaten_at")
    readonly_fields = ("state",)

    def __init__(self, model: Any, site: Any) -> None:
        super().__init__(model, site)
        self.offers = (StartAnew(self.domain),)  # type: ignore[misc]  # each domain's own

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        missed = ExpressionWrapper(Q(beaten_at__lt=Now() - MISSED_AFTER), output_field=BooleanField())
        rows: QuerySet[Any] = super().get_queryset(request).annotate(missed=missed)
        return rows

    @admin.display(description="state")
    def state(self, row: Any) -> SafeString:
        if row.missed:
            return badge("not heard of", "bad")
        return badge(row.ailment, "bad") if row.ailment else badge("works", "good")


def _named(row: Pulse) -> list[str]:
    """What whoever started it calls it; empty where that cannot be asked to start it anew."""
    find: Callable[..., list[str]] = import_string(settings.CONSOLE_STARTED_AS)
    return find(role=row.role, domain=row._meta.app_label, host=row.host)
