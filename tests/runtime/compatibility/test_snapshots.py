"""A snapshot has all that crosses, as the wire has it, and the same contract is always the same text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from jsonschema import Draft202012Validator

from runtime.compatibility import text_of
from tests.runtime.compatibility.shops import Parcel, Parcels, ParcelSent, answering, taken


def test_an_event_is_kept_with_its_version_and_address() -> None:
    assert taken()["events"] == {
        "ParcelSent": {
            "version": 1,
            "exchange": "parcels",
            "routingKey": "parcel.sent",
            "data": {"$ref": "#/$defs/ParcelSent"},
        }
    }
    assert taken()["$defs"]["ParcelSent"] == {
        "title": "ParcelSent",
        "type": "object",
        "properties": {
            "parcelId": {"type": "string", "format": "uuid"},
            "at": {"type": "string", "format": "date-time"},
            "weight": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        },
        "required": ["at", "parcelId"],
    }


def test_a_value_is_kept_as_the_wire_has_it() -> None:
    assert taken()["$defs"]["Parcel"] == {
        "title": "Parcel",
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "weight": {"type": "integer"},
            "label": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "size": {"enum": ["large", "small"]},
            "price": {"$ref": "#/$defs/Money"},
            "tags": {"type": "array", "items": {"type": "string"}, "default": []},
        },
        "required": ["id", "label", "price", "size", "weight"],
    }


def test_a_method_is_kept_with_what_it_takes_answers_and_raises() -> None:
    assert taken()["methods"] == {
        "find": {
            "parameters": {
                "type": "object",
                "properties": {
                    "parcel_id": {"type": "string", "format": "uuid"},
                    "closely": {"type": "boolean"},
                },
                "required": ["parcel_id"],
                "additionalProperties": False,
            },
            "returns": {"$ref": "#/$defs/Parcel"},
            "raises": ["parcel_lost"],
        },
        "send": {
            "parameters": {
                "type": "object",
                "properties": {
                    "key": {"type": "string"},
                    "parcels": {"type": "array", "items": {"$ref": "#/$defs/Parcel"}},
                },
                "required": ["key", "parcels"],
                "additionalProperties": False,
            },
            "returns": {"type": "null"},
            "raises": ["parcel_lost", "scales_broken"],
        },
    }


def test_an_error_is_kept_with_its_kind_and_whether_the_call_may_have_run() -> None:
    assert taken()["errors"] == {
        "parcel_lost": {"class": "ParcelLost", "kind": "rejected", "mayHaveRun": False},
        "scales_broken": {"class": "ScalesBroken", "kind": "unavailable", "mayHaveRun": True},
    }


def test_what_no_event_and_no_method_uses_does_not_cross() -> None:
    class Silent(Protocol):
        pass

    assert taken(Silent, events=(), errors=())["$defs"] == {}


def test_a_snapshot_is_a_json_schema_that_is_read_back_as_it_was_written() -> None:
    Draft202012Validator.check_schema(taken())
    assert json.loads(text_of(taken())) == taken()
    assert text_of(taken()).endswith("}\n")


def test_the_order_of_fields_changes_nothing() -> None:
    assert text_of(answering({"sku": str, "count": int})) == text_of(answering({"count": int, "sku": str}))


def test_the_order_of_methods_and_parameters_and_the_wording_of_docstrings_change_nothing() -> None:
    class Other(Protocol):
        """In other words."""

        def send(self, *, parcels: Sequence[Parcel], key: str) -> None:
            """Sends them. Raises ScalesBroken, and otherwise as find does."""
            ...

        def find(self, *, closely: bool = False, parcel_id: UUID) -> Parcel:
            """Finds it. Raises ParcelLost."""
            ...

    assert text_of(taken(Other)) == text_of(taken(Parcels))


def test_the_order_in_which_events_are_listed_changes_nothing() -> None:
    other: Any = type("Other", (ParcelSent,), {"name": "Other", "routing_key": "parcel.other"})

    assert text_of(taken(events=(ParcelSent, other))) == text_of(taken(events=(other, ParcelSent)))
