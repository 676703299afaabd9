"""Filters of a list: a few named conditions, of which one can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, Q, QuerySet
from django.http import HttpRequest

__all__ = ["condition_filter", "value_filter"]


def condition_filter(title: str, parameter: str, conditions: Mapping[str, Q | Exists]) -> type[SimpleListFilter]:
    """``?parameter=name`` keeps the rows of the condition with this name; another name keeps all."""
    words = title

    class ConditionFilter(SimpleListFilter):
        title = words
        parameter_name = parameter

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(name, name.replace("_", " ").capitalize()) for name in conditions]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            wanted = conditions.get(self.value() or "")
            return queryset if wanted is None else queryset.filter(wanted)

    return ConditionFilter


def value_filter(title: str, column: str, values: Sequence[str]) -> type[SimpleListFilter]:
    """``?column=value``, for a column that has one of a few values."""
    return condition_filter(title, column, {value: Q(**{column: value}) for value in values})
