"""Values that change while everything runs, as an operator sees them: what each is, what it may be, and two buttons."""

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
from runtime.console.panels import Panel, badge, code, moment, short
from runtime.console.records import Records
from runtime.dynconf import store
from runtime.dynconf.declared import Declared, declared, require
from runtime.dynconf.models import DynamicValue

__all__ = ["ValuePages"]

_SHOWN_CHANGES = 20


class _ChangeForm(ActionForm):
    value = text("Value", longest=100)
    reason = text("Reason", longest=200, help_text="For the audit.")


class _ResetForm(ActionForm):
    reason = text("Reason", longest=200, help_text="For the audit.")


class _Decision(Action[DynamicValue]):
    permission: ClassVar[str]

    def __init__(self, domain: str) -> None:
        self.permission = f"{domain}.change_values"  # type: ignore[misc]  # of the domain that has them

    def facts(self, row: DynamicValue) -> Mapping[str, Any]:
        return store.facts_of(row.key, row.text)


class ChangeValue(_Decision):
    name = "change-value"
    title = "Change"
    icon = "tune"
    form = _ChangeForm

    def initial(self, row: DynamicValue) -> dict[str, Any]:
        return {"value": _shown(row)}

    def preview(self, row: DynamicValue) -> Sequence[str]:
        each = require(row.key)
        bounds = f", {each.bounds}" if each.bounds else ""
        return (each.description, f"It is {each.kind.wanted}{bounds}.", "All processes go by it within seconds.")

    def run(self, row: DynamicValue, given: Mapping[str, Any], *, key: str) -> str:
        done = store.change(key=row.key, text=given["value"])
        return f"{row.key} is {done.after} now, everywhere within seconds."


class ResetValue(_Decision):
    name = "reset-value"
    title = "Back to default"
    icon = "undo"
    form = _ResetForm

    def is_legal(self, row: DynamicValue) -> bool:
        return row.text is not None

    def preview(self, row: DynamicValue) -> Sequence[str]:
        each = require(row.key)
        where = f", or what {each.setting} says where a process runs" if each.setting else ""
        return (each.description, f"It is {_default(each)} again{where}.")

    def run(self, row: DynamicValue, given: Mapping[str, Any], *, key: str) -> str:
        store.change(key=row.key, text=None)
        return f"{row.key} is at its default again, everywhere within seconds."


class ValuePages(Records):
    list_display = ("name", "shown", "default", "kind", "bounds", "changed")
    list_filter = (
        condition_filter("state", "state", {"changed": Q(text__isnull=False), "at_its_default": Q(text=None)}),
    )
    search_fields = ("key",)
    search_help_text = "A part of a value's name"
    ordering = ("key",)
    fields = ("name", "description", "shown", "default", "kind", "bounds", "changed", "version")
    readonly_fields = ("name", "description", "shown", "default", "kind", "bounds", "changed")

    def __init__(self, model: Any, site: Any) -> None:
        super().__init__(model, site)
        self.offers = (ChangeValue(self.domain), ResetValue(self.domain))  # type: ignore[misc]  # of the domain

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        store.write_down_keys()
        return super().get_queryset(request).filter(key__in=declared())

    def panels(self, row: DynamicValue) -> Sequence[Panel]:
        changes = store.history(key=row.key, limit=_SHOWN_CHANGES)
        return (
            Panel(
                title="Changes",
                headers=("When", "Who", "Before", "After", "Why"),
                rows=[
                    (
                        moment(entry.at),
                        short(entry.operator),
                        code(entry.before["value"]),
                        code(entry.after["value"]),
                        entry.reason,
                    )
                    for entry in changes
                ],
                empty="It was never changed.",
            ),
        )

    @admin.display(description="name", ordering="key")
    def name(self, row: DynamicValue) -> SafeString:
        return code(row.key)

    @admin.display(description="value")
    def shown(self, row: DynamicValue) -> SafeString:
        return badge(_shown(row), "plain" if row.text is None else "news")

    @admin.display(description="default")
    def default(self, row: DynamicValue) -> str:
        return _default(require(row.key))

    @admin.display(description="kind")
    def kind(self, row: DynamicValue) -> str:
        return require(row.key).kind.name

    @admin.display(description="bounds")
    def bounds(self, row: DynamicValue) -> str:
        return require(row.key).bounds

    @admin.display(description="meaning")
    def description(self, row: DynamicValue) -> str:
        return require(row.key).description

    @admin.display(description="changed at", ordering="changed_at")
    def changed(self, row: DynamicValue) -> str:
        return moment(row.changed_at) if row.version else ""


def _shown(row: DynamicValue) -> str:
    return row.text if row.text is not None else _default(require(row.key))


def _default(each: Declared) -> str:
    return each.shown(each.initial())
