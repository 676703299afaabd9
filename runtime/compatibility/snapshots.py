"""A contract as others see it: what is on the wire, and nothing that only Python knows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts._base import ContractError, Event, Unavailable
from runtime.calls.signatures import Method, methods_of
from runtime.codec.schemas import DIALECT, Schema, schemas_of

type Snapshot = dict[str, Any]

EMPTY: Snapshot = {"$defs": {}, "errors": {}, "events": {}, "methods": {}}
"""Of a domain that has promised nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """``protocol`` is what the domain promises, ``events`` what it tells, ``errors`` what it may answer instead."""

    domain: str
    protocol: type
    events: Sequence[type[Event]]
    errors: Sequence[type[ContractError]]


def snapshot(contract: Contract) -> Snapshot:
    """
    A JSON Schema document: ``$defs`` has every value by its name; ``events``, ``methods`` and ``errors`` use them.

    Docstrings are left out, so that a better wording is no change, but for the errors that a method's names.
    """
    methods = methods_of(contract.protocol)
    schemas, definitions = schemas_of(_crossing(contract.events, methods))
    unused = iter(schemas)
    events = {event.name: _event(event, next(unused)) for event in contract.events}
    raises = _raises(contract.protocol, contract.errors)
    found = {
        "$schema": DIALECT,
        "title": contract.domain,
        "$defs": definitions,
        "events": events,
        "methods": {
            method.name: _method(method, {name: next(unused) for name in method.parameters}, next(unused))
            | {"raises": raises[method.name]}
            for method in methods
        },
        "errors": {error.code: _error(error) for error in contract.errors},
    }
    # As it is read back: a default that is a tuple here is a list there.
    read_back: Snapshot = json.loads(text_of(found))
    return read_back


def text_of(snapshot: Snapshot) -> str:
    """As it is committed: the same snapshot is always the same text."""
    return json.dumps(snapshot, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _crossing(events: Sequence[type[Event]], methods: Sequence[Method]) -> list[Any]:
    """All that has a schema, in the order in which ``snapshot`` takes them."""
    return [*events, *(type_ for method in methods for type_ in (*method.parameters.values(), method.returns))]


def _event(event: type[Event], data: Schema) -> Schema:
    return {"version": event.version, "exchange": event.exchange, "routingKey": event.routing_key, "data": data}


def _method(method: Method, parameters: Mapping[str, Schema], returns: Schema) -> Schema:
    return {
        "parameters": {
            "type": "object",
            "properties": dict(parameters),
            "required": sorted(set(parameters) - method.optional),
            # Unlike a value's, a call's unknown names are refused.
            "additionalProperties": False,
        },
        "returns": returns,
    }


def _error(error: type[ContractError]) -> Schema:
    kind = "unavailable" if issubclass(error, Unavailable) else "rejected"
    return {"class": error.__name__, "kind": kind, "mayHaveRun": error.may_have_run}


def _raises(protocol: type, errors: Sequence[type[ContractError]]) -> dict[str, list[str]]:
    """The codes of the errors that each method's docstring names, also by "as charge does"."""
    codes = {error.__name__: error.code for error in errors}
    sentences = {
        method.name: " ".join(re.findall(r"\bRaises\b[^.]*", getattr(protocol, method.name).__doc__ or ""))
        for method in methods_of(protocol)
    }
    found = {}
    for name, text in sentences.items():
        whole = " ".join([text, *(sentences.get(other, "") for other in re.findall(r"\bas (\w+) does\b", text))])
        found[name] = sorted({code for error, code in codes.items() if re.search(rf"\b{error}\b", whole)})
    return found
