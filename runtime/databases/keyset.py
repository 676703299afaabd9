"""
Pages by key, never by OFFSET: page 1,000 costs what page 1 costs, and rows that come or go shift nothing.

A cursor is opaque to its reader: the place in the order after (or before) which to go on, signed, so that only what was
handed out comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet

__all__ = ["BadCursor", "Page", "PageRequest", "slice"]

_SALT = "runtime.databases.keyset"


class BadCursor(ValueError):
    """This cursor was not handed out for this list."""

    def __init__(self) -> None:
        super().__init__("This cursor was not handed out for this list.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """``limit`` is 1 or more; ``cursor`` is a key of an earlier Page, None for the first page."""

    limit: int = 20
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page[T]:
    """``next_key`` and ``previous_key`` are cursors; None where there is nothing more that way."""

    items: Sequence[T]
    next_key: str | None
    previous_key: str | None

    def map[U](self, change: Callable[[T], U]) -> Page[U]:
        """The same page with each item changed, say from a row to a contract value."""
        return Page(items=[change(item) for item in self.items], next_key=self.next_key, previous_key=self.previous_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """The total order of a list: one field, and the primary key where that field alone does not decide."""

    field: Field[Any, Any]
    tiebreak: Field[Any, Any] | None
    descending: bool

    @property
    def name(self) -> str:
        return f"{self.field.model._meta.label_lower}.{self.field.name}{'-' if self.descending else '+'}"

    @property
    def fields(self) -> tuple[Field[Any, Any], ...]:
        return (self.field,) if self.tiebreak is None else (self.field, self.tiebreak)

    def reversed(self) -> _Order:
        return replace(self, descending=not self.descending)

    def order_by(self) -> list[str]:
        return [f"{'-' if self.descending else ''}{field.name}" for field in self.fields]

    def beyond(self, key: Sequence[Any]) -> Q:
        """Rows after this key. Written so that one index on both columns serves it."""
        side = "lt" if self.descending else "gt"
        if self.tiebreak is None:
            return Q(**{f"{self.field.name}__{side}": key[0]})
        past = Q(**{f"{self.field.name}__{side}": key[0]}) | Q(**{f"{self.tiebreak.name}__{side}": key[1]})
        return Q(**{f"{self.field.name}__{side}e": key[0]}) & past


def slice[M: Model](queryset: QuerySet[M], *, field: str, descending: bool, request: PageRequest) -> Page[M]:
    """
    One page of the queryset in the order of ``field`` (and the primary key where it is not unique).

    ``field`` is a column that is never null. Raises BadCursor.
    """
    order = _order(queryset.model, field, descending)
    back, key = (False, None) if request.cursor is None else _read(request.cursor, order)
    walked = order.reversed() if back else order
    rows = queryset if key is None else queryset.filter(walked.beyond(key))
    found = list(rows.order_by(*walked.order_by())[: request.limit + 1])
    more, items = len(found) > request.limit, found[: request.limit]
    if back:
        items.reverse()
    # Whoever comes by a cursor came from a page that lies the other way.
    has_next, has_previous = (True, more) if back else (more, key is not None)
    return Page(
        items=items,
        next_key=_key(items[-1], order, back=False) if items and has_next else None,
        previous_key=_key(items[0], order, back=True) if items and has_previous else None,
    )


def _order(model: type[Model], name: str, descending: bool) -> _Order:
    field = model._meta.get_field(name)
    assert isinstance(field, Field), f"{model._meta.label}.{name} is not a column"
    alone = field.primary_key or field.unique
    primary = model._meta.pk
    if field.null:
        raise ValueError(f"{model._meta.label}.{name} may be null, so it cannot order a page")
    return _Order(field=field, tiebreak=None if alone else primary, descending=descending)


def _key(row: Model, order: _Order, *, back: bool) -> str:
    values = [field.value_to_string(row) for field in order.fields]
    return signing.dumps([order.name, back, *values], salt=_SALT)


def _read(cursor: str, order: _Order) -> tuple[bool, list[Any]]:
    try:
        name, back, *values = signing.loads(cursor, salt=_SALT)
        if name != order.name or len(values) != len(order.fields) or not all(isinstance(v, str) for v in values):
            raise BadCursor
        return bool(back), [field.to_python(value) for field, value in zip(order.fields, values, strict=True)]
    except (signing.BadSignature, ValidationError, ValueError, TypeError) as error:
        raise BadCursor from error
