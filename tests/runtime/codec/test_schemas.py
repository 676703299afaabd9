"""The codec's schemas say what it takes, neither more nor less."""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts._base import Money
from contracts.inventory import Line
from runtime.codec import NotDecodable, decode
from runtime.codec.schemas import schemas_of


def valid(value: Any, type_: Any) -> bool:
    (schema,), definitions = schemas_of([type_])
    return bool(Draft202012Validator({**schema, "$defs": definitions}).is_valid(value))


def readable(value: Any, type_: Any) -> bool:
    try:
        decode(json.dumps(value), type_)
    except NotDecodable:
        return False
    return True


MONEY_ON_THE_WIRE = schemas_of([Money])[1]["Money"]["properties"]


@given(
    amount=st.from_regex(MONEY_ON_THE_WIRE["amount"]["pattern"], fullmatch=True),
    currency=st.from_regex(MONEY_ON_THE_WIRE["currency"]["pattern"], fullmatch=True),
)
def test_whatever_the_schema_takes_for_money_the_codec_takes_too(amount: str, currency: str) -> None:
    assert readable({"amount": amount, "currency": currency}, Money)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("1" * 17, "GBP"),
        ("0.001", "GBP"),
        ("1e2", "GBP"),
        ("+5", "GBP"),
        ("", "GBP"),
        ("NaN", "GBP"),
        ("\u0665", "GBP"),
        ("5.00", "gbp"),
        ("5.00", "GBPX"),
        ("5.00", "GB"),
        ("5.00", "ÄÖÜ"),
    ],
)
def test_what_is_no_money_both_refuse(amount: str, currency: str) -> None:
    assert not valid({"amount": amount, "currency": currency}, Money)
    assert not readable({"amount": amount, "currency": currency}, Money)


@pytest.mark.parametrize("amount", [5, 5.0, None, True, ["5.00"], {"amount": "5.00"}])
def test_money_is_no_number(amount: Any) -> None:
    assert not valid({"amount": amount, "currency": "GBP"}, Money)


@pytest.mark.parametrize("text", ["5", "-5.00", "123456789012345678.123456"])
def test_a_bare_decimal_is_a_text(text: str) -> None:
    assert valid(text, Decimal)
    assert readable(text, Decimal)


@pytest.mark.parametrize("text", ["", "1e2", "5.1234567", "1234567890123456789", "NaN", "+5", "\u0665", 5, 5.0])
def test_a_text_that_is_no_decimal_is_refused_by_both(text: Any) -> None:
    assert not valid(text, Decimal)
    assert not readable(text, Decimal)


def test_a_sequence_is_a_list() -> None:
    assert schemas_of([Sequence[Line]])[0] == [{"type": "array", "items": {"$ref": "#/$defs/Line"}}]


def test_what_is_required_comes_in_the_order_of_the_alphabet() -> None:
    assert schemas_of([Line])[1]["Line"]["required"] == ["quantity", "sku"]


def test_a_field_that_is_not_known_is_passed_over() -> None:
    newer = {"sku": "TEA", "quantity": 1, "warehouse": "north"}

    assert valid(newer, Line)
    assert readable(newer, Line)


def test_a_type_that_does_not_cross_has_no_schema() -> None:
    with pytest.raises(TypeError, match="is not supported"):
        schemas_of([type(pytest)])


class Size(enum.Enum):
    """What is written here is for programmers."""

    SMALL = "small"


def test_a_docstring_is_left_out() -> None:
    assert schemas_of([Size]) == ([{"$ref": "#/$defs/Size"}], {"Size": {"title": "Size", "enum": ["small"]}})
