"""What is handed over as it is, is what would have arrived, and nobody can change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts._base import Money
from contracts.inventory import Line, QuotedProduct
from runtime.codec import copy, encode
from runtime.codec.unchangeable import weigher
from tests.runtime.codec.values import crossing_types, values

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Word(str):
    __slots__ = ()


class Colour(StrEnum):
    RED = "red"


class Shouted(Line):
    __slots__ = ()


@dataclasses.dataclass(kw_only=True)
class Loose:
    sku: str


@pytest.mark.parametrize("type_", crossing_types(), ids=lambda type_: f"{type_.__module__}.{type_.__name__}")
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_its_own_copy_would_arrive_the_same_and_weighs_no_less_than_its_json(type_: type, data: Any) -> None:
    value = data.draw(values(type_))
    weight = weigher(type_)(value)

    if weight is not None:
        assert copy(value, type_) == value
        assert repr(copy(value, type_)) == repr(value)
        assert hash(value) == hash(copy(value, type_))
        assert weight >= len(encode(value, type_))


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ("ü\u0000", str),
        (-(2**63), int),
        (False, bool),
        (None, type(None)),
        (None, None),
        (UUID(int=1), UUID),
        (Decimal("-0.00"), Decimal),
        (Decimal(12), Decimal),
        (Decimal("999999999999.123456"), Decimal),
        (NOON, datetime),
        (NOON, datetime | None),
        (Money(Decimal("9999999999999999.99"), "GBP"), Money),
        ((), tuple[str, ...]),
        ((Line(sku="a", quantity=1),), Sequence[Line]),
        (QuotedProduct(sku="a", name="b", price=Money(Decimal(1), "GBP"), active=True), QuotedProduct),
    ],
    ids=repr,
)
def test_what_nobody_can_change_is_its_own_copy(value: Any, type_: Any) -> None:
    weight = weigher(type_)(value)

    assert weight is not None
    assert weight >= len(encode(value, type_))
    assert repr(copy(value, type_)) == repr(value)


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        # Somebody can change it, or change what is in it.
        ([], Sequence[str]),
        ({}, dict[str, str]),
        ({}, Any),
        (Loose(sku="a"), Loose),
        ((["a"],), tuple[tuple[str, ...], ...]),
        # Something else would arrive.
        (Word("a"), str),
        (Colour.RED, str),
        (True, int),
        (1, bool),
        (Decimal(10).scaleb(1), Decimal),
        (NOON.astimezone(timezone(timedelta(hours=1))), datetime),
        (Shouted(sku="a", quantity=1), Line),
        # It would not arrive.
        ("\ud800", str),
        (1.0, int),
        (None, str),
        (Decimal("NaN"), Decimal),
        (Decimal("Infinity"), Decimal),
        (Decimal("0.0000001"), Decimal),
        (Decimal(10**18), Decimal),
        (NOON.replace(tzinfo=None), datetime),
        (NOON.replace(fold=1), datetime),
        (Line(sku="a", quantity="1"), Line),  # type: ignore[arg-type]
        (("a", 1), tuple[str, ...]),
        # Rare, and left to the journey.
        (2**63, int),
        (1.0, float),
        (("a", 1), tuple[str, int]),
    ],
    ids=repr,
)
def test_all_else_takes_the_journey(value: Any, type_: Any) -> None:
    assert weigher(type_)(value) is None
