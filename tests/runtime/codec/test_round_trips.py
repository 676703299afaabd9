"""Whatever a contract lets cross arrives as it left: over a call, in an event, out of a stream."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts._base import Money
from contracts.orders import Order
from runtime.codec import copy, decode, encode, from_plain, to_plain, wire_type
from tests.runtime.codec.values import MONEY, crossing_types, values

TYPES = crossing_types()
by_type = pytest.mark.parametrize("type_", TYPES, ids=lambda type_: f"{type_.__module__}.{type_.__name__}")
quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_every_contract_has_something_that_crosses() -> None:
    assert {type_.__module__ for type_ in TYPES} == {
        "contracts.users",
        "contracts.inventory",
        "contracts.payments",
        "contracts.orders",
    }
    assert len(TYPES) >= 30


@by_type
@quick
@given(data=st.data())
def test_a_value_comes_back_from_json_as_it_was(type_: type, data: Any) -> None:
    value = data.draw(values(type_))

    assert decode(encode(value, type_), type_) == value


@by_type
@quick
@given(data=st.data())
def test_a_value_comes_back_from_a_jsonb_column_as_it_was(type_: type, data: Any) -> None:
    value = data.draw(values(type_))
    stored = json.loads(json.dumps(to_plain(value, type_)))

    assert from_plain(stored, type_) == value


@by_type
@quick
@given(data=st.data())
def test_a_copy_is_equal_and_not_the_same(type_: type, data: Any) -> None:
    value = data.draw(values(type_))

    copied = copy(value, type_)

    assert copied == value
    assert type(copied) is type(value)
    assert copied is not value


@by_type
@quick
@given(data=st.data())
def test_names_on_the_wire_are_in_camel_case(type_: type, data: Any) -> None:
    wire = json.loads(encode(data.draw(values(type_)), type_))
    names = [field.name for field in dataclasses.fields(type_)]

    assert list(wire) == [first + "".join(map(str.title, rest)) for first, *rest in (name.split("_") for name in names)]


@quick
@given(order=values(Order))
def test_a_copy_shares_nothing_that_could_be_changed_with_the_original(order: Order) -> None:
    copied = copy(order, Order)

    assert isinstance(copied.items, tuple)
    assert all(one == other and one is not other for one, other in zip(copied.items, order.items, strict=True))
    assert copied.total_amount is not order.total_amount


@given(money=MONEY)
def test_money_travels_as_a_text_with_two_places(money: Money) -> None:
    assert json.loads(encode(money, Money)) == {"amount": f"{money.amount:.2f}", "currency": money.currency}
    assert to_plain(money, Money) == {"amount": f"{money.amount:.2f}", "currency": money.currency}


@given(moneys=st.dictionaries(st.text(st.characters(codec="utf-8")), MONEY, max_size=3))
def test_a_dictionary_travels(moneys: dict[str, Money]) -> None:
    assert copy(moneys, dict[str, Money]) == moneys


@pytest.mark.parametrize(
    ("value", "type_"),
    [(None, type(None)), (None, Money | None), ("x", str), (True, bool), (10**30, int), ((), tuple[int, ...])],
)
def test_a_bare_value_travels(value: Any, type_: Any) -> None:
    assert copy(value, type_) == value


def test_the_type_on_the_wire_is_made_once_for_each_type() -> None:
    assert wire_type(Order) is wire_type(Order)
