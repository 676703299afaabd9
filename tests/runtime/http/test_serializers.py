"""Bodies are taken strictly: types are JSON's, and nothing is taken that was not asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from django.urls import path
from rest_framework.response import Response

from contracts._base import Money
from runtime.http.serializers import (
    FlagField,
    IdField,
    ListField,
    MomentField,
    MoneyField,
    StrictSerializer,
    TextField,
    WholeNumberField,
    body_of,
)
from runtime.http.views import View
from runtime.identity import Anyone


class LineSerializer(StrictSerializer):
    sku = TextField(max_length=10)
    quantity = WholeNumberField(min_value=1, max_value=1_000_000)
    unit_price = MoneyField(required=False)


class OrderSerializer(StrictSerializer):
    items = LineSerializer(many=True, min_length=1, max_length=3, required=False)
    on_behalf_of = IdField(required=False)
    gift = FlagField(required=False)
    note = TextField(required=False, lines=True, allow_blank=True)
    tags = ListField(child=TextField(), required=False)
    placed_at = MomentField(required=False)
    refund = MoneyField(required=False, minimum="0.01")


class Taken(Exception):
    """What a body became."""


@pytest.fixture
def take(serve):
    """``take(body)``: the validated values, or the errors as {(pointer, code)}."""
    taken = {}

    class Takes(View):
        permission_classes = [Anyone]

        def post(self, request):
            taken["value"] = body_of(request, OrderSerializer)
            return Response({})

    client = serve(path("orders", Takes.as_view()))

    def send(body: dict):
        answer = client.post("/orders", body)
        if answer.status_code == 200:
            return taken["value"]
        assert answer.status_code == 400
        assert answer.json()["code"] == "validation_failed"
        return {(error["pointer"], error["code"]) for error in answer.json()["errors"]}

    return send


LINE = {"sku": "A", "quantity": 1}


def test_names_are_camel_case_outside_and_snake_case_inside(take):
    user = UUID(int=5)
    body = {"items": [{**LINE, "unitPrice": {"amount": "1.5", "currency": "GBP"}}], "onBehalfOf": str(user)}

    assert take(body) == {
        "items": [{"sku": "A", "quantity": 1, "unit_price": Money(Decimal("1.50"), "GBP")}],
        "on_behalf_of": user,
    }


def test_the_same_serializer_writes_answers_from_any_object():
    @dataclass
    class Line:
        sku: str
        quantity: int
        unit_price: Money

    @dataclass
    class Order:
        items: list[Line]
        on_behalf_of: UUID
        gift: bool
        note: str
        tags: list[str]
        placed_at: datetime
        refund: Money

    summer = datetime(2026, 7, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    money = Money(Decimal("1234.5"), "GBP")
    order = Order([Line("A", 2, money)], UUID(int=5), True, "", ["x"], summer, money)

    assert OrderSerializer(order).data == {
        "items": [{"sku": "A", "quantity": 2, "unitPrice": {"amount": "1234.50", "currency": "GBP"}}],
        "onBehalfOf": "00000000-0000-0000-0000-000000000005",
        "gift": True,
        "note": "",
        "tags": ["x"],
        "placedAt": "2026-07-01T10:00:00Z",
        "refund": {"amount": "1234.50", "currency": "GBP"},
    }


@pytest.mark.parametrize("quantity", ["1", "", True, False, 1.5, 1.0, None, [], {}, [1], "1e3", "٣"])
def test_only_an_integer_is_an_integer(take, quantity):
    errors = take({"items": [{**LINE, "quantity": quantity}]})

    assert errors == {("/items/0/quantity", "null" if quantity is None else "invalid")}


@pytest.mark.parametrize(
    ("quantity", "code"), [(0, "min_value"), (-1, "min_value"), (1_000_001, "max_value"), (10**400, "max_value")]
)
def test_an_integer_out_of_bounds_is_refused(take, quantity, code):
    assert take({"items": [{**LINE, "quantity": quantity}]}) == {("/items/0/quantity", code)}


@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["A"]])
def test_only_a_string_is_text(take, value):
    assert take({"items": [{**LINE, "sku": value}]}) == {("/items/0/sku", "invalid")}


@pytest.mark.parametrize("value", ["true", "false", 1, 0, "on", [], {}])
def test_only_true_and_false_are_flags(take, value):
    assert take({"gift": value}) == {("/gift", "invalid")}


@pytest.mark.parametrize(
    "value",
    [
        5,
        "5",
        "00000000000000000000000000000005",
        "{00000000-0000-0000-0000-000000000005}",
        "urn:uuid:00000000-0000-0000-0000-000000000005",
        "00000000-0000-0000-0000-00000000000\u0665",
        [],
        True,
    ],
)
def test_an_id_has_one_written_form(take, value):
    assert take({"onBehalfOf": value}) == {("/onBehalfOf", "invalid")}


@pytest.mark.parametrize("value", ["A", {"0": "A"}, 1, True])
def test_only_an_array_is_a_list(take, value):
    assert take({"tags": value}) == {("/tags", "not_a_list")}


def test_an_error_inside_a_list_is_named_by_its_place(take):
    assert take({"tags": ["a", 1, "b", None]}) == {("/tags/1", "invalid"), ("/tags/3", "null")}


@pytest.mark.parametrize("value", ["2026-01-31", "2026-01-31T12:00:00", "yesterday", 1, True, "9999-99-99T00:00:00Z"])
def test_a_time_needs_a_zone(take, value):
    ((pointer, code),) = take({"placedAt": value})

    assert pointer == "/placedAt"
    assert code in {"zone", "invalid", "date"}


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_leaves_the_calendar_is_refused(take, value):
    assert take({"placedAt": value}) == {("/placedAt", "overflow")}


def test_a_time_is_kept_in_utc(take):
    assert take({"placedAt": "2026-07-01T12:00:00+02:00"}) == {"placed_at": datetime(2026, 7, 1, 10, 0, tzinfo=UTC)}


# --- Lists of objects -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("items", "code"), [([], "min_length"), ([LINE] * 4, "max_length")])
def test_a_list_that_is_too_short_or_too_long_is_named(take, items, code):
    assert take({"items": items}) == {("/items", code)}


@pytest.mark.parametrize("items", [{}, "A", 1, None])
def test_what_is_no_list_is_named(take, items):
    assert take({"items": items}) == {("/items", "null" if items is None else "not_a_list")}


@pytest.mark.parametrize("item", ["A", 1, None, [LINE]])
def test_an_item_that_is_no_object_is_named(take, item):
    assert {pointer for pointer, _ in take({"items": [LINE, item]})} == {"/items/1"}


def test_every_line_is_checked_and_each_fault_has_its_pointer(take):
    items = [{"sku": "A", "quantity": 0}, LINE, {"sku": "", "quantity": 1, "colour": "red"}]

    assert take({"items": items}) == {
        ("/items/0/quantity", "min_value"),
        ("/items/2/sku", "blank"),
        ("/items/2/colour", "unknown_field"),
    }


# --- Unknown fields -------------------------------------------------------------------------------------------------


def test_unknown_fields_are_named_beside_other_faults(take):
    assert take({"items": [], "status": "confirmed", "total": 0}) == {
        ("/items", "min_length"),
        ("/status", "unknown_field"),
        ("/total", "unknown_field"),
    }


def test_the_python_name_of_a_field_is_not_its_name_outside(take):
    assert take({"on_behalf_of": str(UUID(int=5))}) == {("/on_behalf_of", "unknown_field")}


def test_odd_names_are_escaped_as_rfc_6901_says(take):
    assert take({"a/b": 1, "c~d": 1, "e.f": 1}) == {
        ("/a~1b", "unknown_field"),
        ("/c~0d", "unknown_field"),
        ("/e.f", "unknown_field"),
    }


def test_a_hundred_thousand_unknown_fields_make_a_short_answer(take):
    assert len(take({f"field{n}": 1 for n in range(100_000)})) == 20


# --- Text -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("char", ["\x01", "\x1b", "\x7f", "\x85", "\u2028", "\t", "\r"])
def test_control_characters_are_refused(take, char):
    assert take({"items": [{**LINE, "sku": f"A{char}B"}]}) == {("/items/0/sku", "control_characters")}


def test_text_of_several_lines_may_be_broken_but_not_rung(take):
    assert take({"note": "one\r\n\ttwo"}) == {"note": "one\r\n\ttwo"}
    assert take({"note": "bell\x07"}) == {("/note", "control_characters")}
