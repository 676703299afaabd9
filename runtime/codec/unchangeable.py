"""
Which values are their own copy: nobody can change them, and what would arrive over the wire is equal to them.

A look costs a tenth of the journey to JSON and back. A yes is strict, a no may be wrong: what it
does not know takes the journey.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

__all__ = ["Weigh", "weigher"]

type Weigh = Callable[[Any], int | None]
"""No fewer bytes than the value takes as JSON; None for what has to take the journey."""


@cache
def weigher(type_: Any) -> Weigh:
    """How values of this type are looked at, worked out once."""
    if type_ in _LEAVES:
        return _LEAVES[type_]
    if dataclasses.is_dataclass(type_) and isinstance(type_, type):
        return _of_dataclass(type_)
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Sequence or (origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis):
        return _of_tuple(weigher(arguments[0]))
    if origin is typing.Union or origin is types.UnionType:
        return _of_union([weigher(argument) for argument in arguments])
    return _unknown


def _unknown(value: Any) -> None:
    return None


def _of_dataclass(type_: Any) -> Weigh:
    if not type_.__dataclass_params__.frozen:
        return _unknown
    hints = get_type_hints(type_)
    # Quotes, colon and comma for each, and a letter that becomes upper case takes the underscore's place.
    fields = [(field.name, weigher(hints[field.name]), len(field.name) + 4) for field in dataclasses.fields(type_)]

    def weigh(value: Any) -> int | None:
        if type(value) is not type_:
            return None
        total = 2
        for name, of_field, around in fields:
            size = of_field(getattr(value, name))
            if size is None:
                return None
            total += size + around
        return total

    return weigh


def _of_tuple(of_item: Weigh) -> Weigh:
    def weigh(value: Any) -> int | None:
        if type(value) is not tuple:
            return None
        total = 2
        for item in value:
            size = of_item(item)
            if size is None:
                return None
            total += size + 1
        return total

    return weigh


def _of_union(alternatives: list[Weigh]) -> Weigh:
    def weigh(value: Any) -> int | None:
        for alternative in alternatives:
            size = alternative(value)
            if size is not None:
                return size
        return None

    return weigh


# --- What has no parts ----------------------------------------------------------------------------------------------
# Exactly these types: what is derived from one of them arrives as the plain one.


def _text(value: Any) -> int | None:
    if type(value) is not str or not (value.isascii() or _encodes(value)):
        return None
    return 6 * len(value) + 2  # \u0000


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(value: Any) -> int | None:
    return 20 if type(value) is int and -(2**63) <= value < 2**63 else None


def _truth(value: Any) -> int | None:
    return 5 if value is True or value is False else None


def _nothing(value: Any) -> int | None:
    return 4 if value is None else None


def _id(value: Any) -> int | None:
    return 38 if type(value) is UUID else None


_CENT, _LARGEST = Decimal("0.01"), Decimal(10) ** 16


def _decimal(value: Any) -> int | None:
    if type(value) is not Decimal:
        return None
    if value.same_quantum(_CENT) and -_LARGEST < value < _LARGEST:  # money, the short way
        return 22
    _, digits, exponent = value.as_tuple()
    # A NaN's exponent is a letter.
    return 22 if isinstance(exponent, int) and -6 <= exponent <= 0 and len(digits) <= 18 else None


def _moment(value: Any) -> int | None:
    return 40 if type(value) is datetime and value.tzinfo is UTC and value.fold == 0 else None


_LEAVES: dict[Any, Weigh] = {
    str: _text,
    int: _whole,
    bool: _truth,
    None: _nothing,
    type(None): _nothing,
    UUID: _id,
    Decimal: _decimal,
    datetime: _moment,
}
