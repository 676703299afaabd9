"""A domain's records as the console shows them: read-only, searched, filtered, and with actions that services do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from runtime.console.actions import Action
from runtime.console.panels import Panel, code, short
from runtime.console.performing import perform
from runtime.console.timelines import Timeline

__all__ = ["Records", "SubjectRecords", "address_of_list", "as_uuid"]


_END_OF_ID = re.compile(r"(?:…|\.\.\.)?([0-9a-f]{12})")


class Records(ModelAdmin):  # type: ignore[misc]  # Unfold is not typed
    """
    Subclasses say what Django's ModelAdmin has them say, and besides: ``offers`` (the actions), ``search_ids`` (columns
    that a whole UUID is looked up in; other words go to ``search_fields``) and ``panels``.
    """

    offers: ClassVar[Sequence[Action[Any]]] = ()
    search_ids: ClassVar[Sequence[str]] = ()
    called: ClassVar[tuple[str, str] | None] = None
    """What one and many of them are called, where the model's name does not say it."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = False
    view_on_site = False
    change_form_template = "console/record.html"
    change_list_template = "console/records.html"

    @property
    def domain(self) -> str:
        """The domain, its alias and its part of the address, which are all one word."""
        return str(self.opts.app_label)

    @property
    def title(self) -> str:
        """What one of them is called."""
        return _sentence(self.called[0] if self.called else str(self.opts.verbose_name))

    def trail(self, row: Model | None) -> list[tuple[object, str]]:
        """The way here: the list, and the record."""
        many = _sentence(self.called[1] if self.called else str(self.opts.verbose_name_plural))
        way: list[tuple[object, str]] = [(many, self.address_of(None))]
        return way if row is None else [*way, (short(row.pk) if as_uuid(str(row.pk)) else row.pk, self.address_of(row))]

    def panels(self, row: Any) -> Sequence[Panel | Timeline]:
        """What stands below the record's fields."""
        return ()

    # --- Read-only --------------------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm(f"{self.domain}.view_any"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    # --- What is shown ----------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).using(self.domain)
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        wanted = self._by_id(search_term)
        if wanted is not None:
            return queryset.filter(wanted), False
        rows, duplicates = super().get_search_results(request, queryset, search_term)
        return rows, bool(duplicates)

    def is_id(self, search_term: str) -> bool:
        return self._by_id(search_term) is not None

    def _by_id(self, search_term: str) -> Q | None:
        """A whole id, or the end of one as lists show it; None for other words."""
        if (whole := as_uuid(search_term)) and self.search_ids:
            return Q(*((name, whole) for name in self.search_ids), _connector=Q.OR)
        if (end := _END_OF_ID.fullmatch(search_term.strip())) and self.search_ids:
            return Q(*((f"{name}__endswith", end[1]) for name in self.search_ids), _connector=Q.OR)
        return None

    def find(self, request: HttpRequest, object_id: str) -> Any:
        """The record with this primary key; None where there is none."""
        field = self.opts.pk
        try:
            return self.get_queryset(request).filter(pk=field.to_python(object_id)).first()
        except (ValidationError, ValueError):
            return None

    def address_of(self, row: Model | None) -> str:
        """The record's page; the list's where there is no record."""
        if row is None:
            return address_of_list(self.domain, str(self.opts.model_name))
        return reverse(f"admin:{self.domain}_{self.opts.model_name}_change", args=[quote(row.pk)])

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.find(request, unquote(object_id))
        context = {
            "panels": self.panels(row) if row is not None else (),
            "offered": self._offered(request, row),
            "trail": self.trail(row),
        }
        response: HttpResponse = super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: object, **kwargs: object
    ) -> TemplateResponse:
        """Without what Django's own asks of content types, which have no table here."""
        shown = {**context, "opts": self.opts, "title": f"{self.title} {context['original'].pk}"}
        return TemplateResponse(request, self.change_form_template, shown)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {
            "offered": self._offered(request, None),
            "trail": self.trail(None)[:1],
        }
        response: HttpResponse = super().changelist_view(request, {**context, **(extra_context or {})})
        return response

    def _offered(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """The actions that this operator may do and that can be done now, with their addresses."""
        return [
            {"action": action, "address": self._action_address(action, row)}
            for action in self.offers
            if action.makes_new == (row is None)
            and request.user.has_perm(action.permission)
            and (row is None or action.is_legal(row))
        ]

    # --- Addresses --------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """The list, a record, and the actions. Django's pages that change things, or tell of changes, are not there."""
        kept = {f"{self.domain}_{self.opts.model_name}_{page}" for page in ("changelist", "change")}
        return [
            *(self._action_pattern(action) for action in self.offers),
            *(pattern for pattern in super().get_urls() if pattern.name in kept),
        ]

    def _action_pattern(self, action: Action[Any]) -> URLPattern:
        route = f"{action.name}/" if action.makes_new else f"<path:object_id>/{action.name}/"
        view: Callable[..., HttpResponse] = self.admin_site.admin_view(self._action_view(action))
        return path(route, view, name=self._action_route(action))

    def _action_view(self, action: Action[Any]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str | None = None) -> HttpResponse:
            row = None if object_id is None else self.find(request, unquote(object_id))
            return perform(request, self, action, row)

        return view

    def _action_route(self, action: Action[Any]) -> str:
        return f"{self.domain}_{self.opts.model_name}_{action.name}"

    def _action_address(self, action: Action[Any], row: Model | None) -> str:
        arguments = [] if row is None else [quote(row.pk)]
        return reverse(f"admin:{self._action_route(action)}", args=arguments)


class SubjectRecords(Records):
    """Records about something of any domain: an order's id is shown by its end, a sku as it is."""

    @admin.display(description="subject")
    def about(self, row: Any) -> SafeString:
        return short(row.subject) if as_uuid(str(row.subject)) else code(row.subject)


def address_of_list(domain: str, model: str, **filters: str) -> str:
    """A list's address, the same in every topology and on every port, also of a domain that is hosted elsewhere."""
    address = f"{settings.CONSOLE_PATH}/{domain}/{model}/"
    query = QueryDict(mutable=True)
    query.update(filters)
    return f"{address}?{query.urlencode()}" if filters else address


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
