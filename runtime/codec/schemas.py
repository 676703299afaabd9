"""What the codec writes and takes, as JSON Schema: made from the very types that it encodes and decodes with."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from runtime.codec import wire_type

type Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DECIMAL: Schema = {"type": "string", "pattern": r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$"}

# What Money refuses is in its constructor, where no schema can see it.
_MONEY: Schema = {
    "amount": {"type": "string", "pattern": r"^-?[0-9]{1,16}(\.[0-9]{1,2})?$"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
}


def schemas_of(types: Iterable[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """
    A schema for each type, and under its class's name each value that they refer to as ``#/$defs/<name>``.

    Fields that are not named are allowed, since ``decode`` passes over them. Neither docstrings nor the order of fields
    make a difference. Raises TypeError for a type that cannot cross.
    """
    written, definitions = msgspec.json.schema_components([wire_type(type_) for type_ in types], schema_hook=_amount)
    for definition in definitions.values():
        definition.pop("description", None)
        if "required" in definition:
            definition["required"] = sorted(definition["required"])
    if "Money" in definitions:
        definitions["Money"]["properties"] = _MONEY
    return list(written), definitions


def _amount(type_: Any) -> Schema:
    if type_ is wire_type(Decimal):
        return _DECIMAL
    raise NotImplementedError(f"{type_!r} has no schema")
