"""The committed schemas describe the wire: whatever the codec writes fits them, and what lacks a field does not."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from config.contracts import committed, drift, promised
from config.subscriptions import EVENTS
from contracts import _base
from contracts._base import Event, Money
from runtime.codec import encode
from runtime.compatibility import text_of
from tests.runtime.codec.values import DOMAINS, crossing_types, values

FOLDER = Path(__file__).resolve().parents[2] / "contracts" / "schemas"
COMMITTED = committed(FOLDER)

FORMATS = FormatChecker(["uuid"])


@FORMATS.checks("date-time", raises=ValueError)
def with_a_zone(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


TYPES = [*crossing_types(), Money]
by_type = pytest.mark.parametrize("type_", TYPES, ids=lambda type_: f"{type_.__module__}.{type_.__name__}")
quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def validator(type_: type) -> Draft202012Validator:
    domain = type_.__module__.rpartition(".")[2] if type_ is not Money else "orders"
    whole = COMMITTED[domain]
    schema = {"$ref": f"#/$defs/{type_.__name__}", "$defs": whole["$defs"], "$schema": whole["$schema"]}
    return Draft202012Validator(schema, format_checker=FORMATS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_committed_file_is_what_the_code_says(domain: str) -> None:
    text = (FOLDER / f"{domain}.json").read_text(encoding="utf-8")

    assert text == text_of(promised()[domain]), "run manage.py contracts snapshot and commit it"


def test_nothing_else_is_committed_and_nothing_differs() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(f"{domain}.json" for domain in DOMAINS)
    assert (drift(FOLDER).differences, drift(FOLDER).stale) == ((), ())


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_committed_file_is_a_json_schema_of_2020_12(domain: str) -> None:
    Draft202012Validator.check_schema(COMMITTED[domain])
    assert COMMITTED[domain]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_event_of_the_catalogue_is_committed_with_its_version_and_address() -> None:
    found = {
        name: (event["version"], event["exchange"], event["routingKey"], event["data"])
        for domain in DOMAINS
        for name, event in COMMITTED[domain]["events"].items()
    }

    assert found == {
        event.name: (event.version, event.exchange, event.routing_key, {"$ref": f"#/$defs/{event.__name__}"})
        for event in EVENTS
    }


def test_every_value_that_a_contract_declares_crosses_somewhere() -> None:
    found = {f"contracts.{domain}.{name}" for domain in DOMAINS for name in COMMITTED[domain]["$defs"]}

    assert {f"{type_.__module__}.{type_.__name__}" for type_ in crossing_types()} == {
        name for name in found if not hasattr(_base, name.rpartition(".")[2])
    }


def test_a_method_raises_what_its_docstring_names_and_what_it_raises_as_another_does() -> None:
    methods = COMMITTED["payments"]["methods"]

    assert methods["refund"]["raises"] == ["payment_unknown", "refund_too_large"]
    assert methods["audit"]["raises"] == []
    assert methods["inquire"]["raises"] == [*sorted(methods["charge"]["raises"]), "payment_unknown"]


@by_type
@quick
@given(data=st.data())
def test_whatever_the_codec_writes_fits(type_: type, data: Any) -> None:
    validator(type_).validate(json.loads(encode(data.draw(values(type_)), type_)))


@by_type
@quick
@given(data=st.data())
def test_what_lacks_a_required_field_does_not_fit(type_: type, data: Any) -> None:
    wire = json.loads(encode(data.draw(values(type_)), type_))
    missing = data.draw(st.sampled_from(COMMITTED_REQUIRED[type_]))
    del wire[missing]

    (fault,) = validator(type_).iter_errors(wire)
    assert fault.message == f"{missing!r} is a required property"


COMMITTED_REQUIRED = {type_: validator(type_).schema["$defs"][type_.__name__]["required"] for type_ in TYPES}


@by_type
def test_a_field_that_is_not_required_is_one_with_a_default(type_: type) -> None:
    definition = validator(type_).schema["$defs"][type_.__name__]

    assert {name for name, field in definition["properties"].items() if "default" not in field} == set(
        COMMITTED_REQUIRED[type_]
    )


@pytest.mark.parametrize("event", EVENTS, ids=[event.name for event in EVENTS])
@quick
@given(data=st.data())
def test_a_time_without_a_zone_and_an_id_that_is_none_do_not_fit(event: type[Event], data: Any) -> None:
    wire = json.loads(encode(data.draw(values(event)), event))
    properties = validator(event).schema["$defs"][event.__name__]["properties"]
    for name, field in properties.items():
        if field.get("format") in {"uuid", "date-time"}:
            assert not validator(event).is_valid({**wire, name: "2026-01-01T00:00:00"})
