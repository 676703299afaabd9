"""What is missing or of the wrong type is refused; what is only unknown is passed over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts._base import Money
from contracts.inventory import Line, OutOfStock, QuotedProduct, Reservation
from contracts.orders import OrderCancelled, OrderLine
from runtime.codec import NotDecodable, copy, decode, encode, from_plain, to_plain

LINE = {"sku": "TEA", "quantity": 2}
FIVE = Money(Decimal("5.00"), "GBP")


# --- Unknown ----------------------------------------------------------------------------------------------------------


def test_a_field_that_is_not_known_is_passed_over() -> None:
    newer = {**LINE, "warehouse": "north", "nested": {"a": [1, 2]}}

    assert decode(json.dumps(newer), Line) == Line(sku="TEA", quantity=2)
    assert from_plain(newer, Line) == Line(sku="TEA", quantity=2)


def test_a_field_that_is_not_known_is_passed_over_further_down_as_well() -> None:
    ids = {"id": str(uuid4()), "orderId": str(uuid4())}
    newer = {**ids, "lines": [{**LINE, "warehouse": "north"}], "state": "held", "expiresAt": "2026-01-01T00:00:00Z"}

    assert decode(json.dumps(newer), Reservation).lines == (Line(sku="TEA", quantity=2),)


# --- Missing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["sku", "quantity"])
def test_a_field_that_is_missing_is_refused_by_its_name(missing: str) -> None:
    sent = {name: value for name, value in LINE.items() if name != missing}

    with pytest.raises(NotDecodable, match=f"missing required field `{missing}`"):
        decode(json.dumps(sent), Line)
    with pytest.raises(NotDecodable, match=f"missing required field `{missing}`"):
        from_plain(sent, Line)


def test_a_field_with_a_default_may_be_missing() -> None:
    """An older sender did not know it yet."""
    order, user = uuid4(), uuid4()
    older = json.dumps({"orderId": str(order), "userId": str(user), "reason": "expired"})

    assert decode(older, OrderCancelled) == OrderCancelled(order_id=order, user_id=user, reason="expired", skus=())


def test_a_default_that_is_made_anew_each_time_is_not_shared() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Basket:
        items: list[str] = field(default_factory=lambda: ["a bag"])

    first, second = decode("{}", Basket), decode("{}", Basket)

    assert first == second == Basket(items=["a bag"])
    assert first.items is not second.items


def test_a_name_in_pythons_own_case_is_not_known_on_the_wire() -> None:
    with pytest.raises(NotDecodable, match="missing required field `orderId`"):
        decode(json.dumps({"order_id": str(uuid4()), "user_id": str(uuid4()), "reason": "x"}), OrderCancelled)


# --- Of the wrong type ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "type_"),
    [
        ('"1"', int),
        ("true", int),
        ("1", bool),
        ("1.5", int),
        ("1", str),
        ("null", str),
        ('"x"', UUID),
        ("1", datetime),
        ('"yesterday"', datetime),
        ("[1]", tuple[str, ...]),
        ('"abc"', tuple[str, ...]),
        ("{}", tuple[str, ...]),
        ("[]", Line),
        ("null", Line),
        ('{"sku": 1, "quantity": 1}', Line),
        ('{"sku": "TEA", "quantity": "1"}', Line),
        ('{"sku": "TEA", "quantity": null}', Line),
        ('{"amount": "5.00", "currency": "pounds"}', Money),
        ('{"amount": "5.001", "currency": "GBP"}', Money),
        ('{"amount": "NaN", "currency": "GBP"}', Money),
        ('{"amount": "Infinity", "currency": "GBP"}', Money),
        ('{"amount": "", "currency": "GBP"}', Money),
        ('{"amount": true, "currency": "GBP"}', Money),
        ('{"amount": NaN, "currency": "GBP"}', Money),
        ('"5.00"', Money),
    ],
)
def test_the_wrong_type_is_refused(sent: str, type_: Any) -> None:
    with pytest.raises(NotDecodable):
        decode(sent, type_)


@pytest.mark.parametrize(
    "sent",
    ["", "{", "nonsense", '{"sku": "TEA", "quantity": 1} and more', "\ufeff{}", "[" * 100_000, '{"a":' * 100_000],
    ids=["nothing", "half", "words", "more behind it", "a byte order mark", "too many [", "too many {"],
)
def test_what_is_no_json_is_refused(sent: str) -> None:
    with pytest.raises(NotDecodable):
        decode(sent, Line)


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(NotDecodable):
        decode(b'{"sku": "\xff", "quantity": 1}', Line)


# --- What cannot travel -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ("1", int),
        (True, int),
        (None, Line),
        (object(), Line),
        (FIVE, Line),
        (Line(sku="TEA", quantity="two"), Line),  # type: ignore[arg-type]
        ({1, 2}, tuple[str, ...]),
        (OutOfStock(), Line),
    ],
    ids=["text", "truth", "nothing", "an object", "money", "a value that lies", "a set", "an error"],
)
def test_a_value_that_is_not_of_its_type_cannot_travel(value: Any, type_: Any) -> None:
    with pytest.raises(NotDecodable, match="cannot travel as"):
        copy(value, type_)


def test_a_value_of_another_domains_type_cannot_travel_as_one_that_looks_alike() -> None:
    quoted = QuotedProduct(sku="TEA", name="Tea", price=FIVE, active=True)

    with pytest.raises(NotDecodable, match="missing required field"):
        copy(quoted, OrderLine)


def test_half_a_character_cannot_travel() -> None:
    with pytest.raises(NotDecodable):
        copy("\ud800", str)


# --- Sequences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [[Line(sku="TEA", quantity=1)], (Line(sku="TEA", quantity=1),)], ids=["list", "tuple"]
)
def test_a_sequence_arrives_as_a_tuple(given: Sequence[Line]) -> None:
    assert copy(given, Sequence[Line]) == (Line(sku="TEA", quantity=1),)
    assert decode(encode(given, Sequence[Line]), Sequence[Line]) == (Line(sku="TEA", quantity=1),)
    assert from_plain(to_plain(given, Sequence[Line]), Sequence[Line]) == (Line(sku="TEA", quantity=1),)


def test_whoever_changes_a_list_that_was_sent_changes_nothing_that_arrived() -> None:
    sent = [Line(sku="TEA", quantity=1)]
    arrived = copy(sent, Sequence[Line])

    sent.append(Line(sku="MUG", quantity=1))

    assert arrived == (Line(sku="TEA", quantity=1),)


def test_a_value_with_a_sequence_in_it_is_refused_at_declaration() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Basket:
        lines: Sequence[Line]

    with pytest.raises(NotDecodable, match=r"Basket\.lines is a Sequence: say tuple"):
        copy(Basket(lines=[Line(sku="TEA", quantity=1)]), Basket)


# --- Money and time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["12.5", "12", "0.1", "1e2"])
def test_money_as_a_number_is_refused(amount: str) -> None:
    with pytest.raises(NotDecodable):
        decode(f'{{"amount": {amount}, "currency": "GBP"}}', Money)


def test_money_as_a_float_is_refused() -> None:
    with pytest.raises(NotDecodable):
        from_plain({"amount": 12.5, "currency": "GBP"}, Money)


@pytest.mark.parametrize("amount", ["1e2", " 5.00", "5_000.00", "+5.00"])
def test_money_in_a_spelling_that_money_does_not_have_is_refused(amount: str) -> None:
    with pytest.raises(NotDecodable):
        decode(json.dumps({"amount": amount, "currency": "GBP"}), Money)


def test_a_time_keeps_its_moment_and_its_microseconds() -> None:
    moment = datetime(2026, 11, 23, 7, 0, 0, 123456, tzinfo=UTC)

    assert encode(moment, datetime) == b'"2026-11-23T07:00:00.123456Z"'
    assert decode('"2026-11-23T08:00:00.123456+01:00"', datetime) == moment


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(NotDecodable):
        decode('"2026-11-23T07:00:00"', datetime)
