"""Any value that a contract lets cross, for Hypothesis to draw from."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

from hypothesis import strategies as st

from contracts._base import Money

DOMAINS = ("users", "inventory", "payments", "orders")

CENTS = st.integers(min_value=-(10**18) + 1, max_value=10**18 - 1)
MONEY = st.builds(Money, CENTS.map(lambda cents: Decimal(cents).scaleb(-2)), st.from_regex(r"[A-Z]{3}", fullmatch=True))
TIMES = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
PLAIN = {
    str: st.text(st.characters(codec="utf-8")),
    int: st.integers(),
    bool: st.booleans(),
    UUID: st.uuids(),
    datetime: TIMES,
    Money: MONEY,
    type(None): st.none(),
}


def crossing_types() -> list[type]:
    """Every value and every event of every contract."""
    return [
        value
        for domain in DOMAINS
        for name, value in vars(importlib.import_module(f"contracts.{domain}")).items()
        if isinstance(value, type) and dataclasses.is_dataclass(value) and not name.startswith("_")
        if value.__module__ == f"contracts.{domain}"
    ]


def values(type_: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that a contract may use."""
    if type_ in PLAIN:
        return PLAIN[type_]
    if dataclasses.is_dataclass(type_):
        hints = get_type_hints(type_)
        return st.builds(type_, **{field.name: values(hints[field.name]) for field in dataclasses.fields(type_)})
    origin, arguments = get_origin(type_), get_args(type_)
    if origin in {tuple, Sequence}:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    return st.one_of([values(argument) for argument in arguments])
