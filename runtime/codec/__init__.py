"""
Contract values to JSON and back: strict, in camelCase, the same for a call, an event and a stored stream.

``decode`` ignores fields it does not know (a newer sender may have added them) and refuses what is missing or of the
wrong type.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import re
import types
import typing
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

__all__ = ["Codec", "NotDecodable", "codec_of", "copy", "decode", "encode", "from_plain", "pack", "to_plain"]


class NotDecodable(ValueError):
    """This JSON is not a value of the type that was expected."""


class Codec:
    """One type's way to JSON and back, worked out once."""

    def __init__(self, type_: Any) -> None:
        # A Sequence arrives as a tuple: what came over the wire cannot be changed.
        self._type = types.GenericAlias(tuple, (*get_args(type_), ...)) if get_origin(type_) is Sequence else type_
        self._wire = wire_type(self._type)
        self._encode = msgspec.json.Encoder(enc_hook=_write_amount).encode
        self._decode = msgspec.json.Decoder(self._wire, dec_hook=_read_amount).decode
        self._arrives = _is_the_same(self._type)

    def encode(self, value: Any) -> bytes:
        return self._encode(msgspec.convert(value, type=self._wire, from_attributes=True, dec_hook=_read_amount))

    def decode(self, data: bytes | str) -> Any:
        """Raises NotDecodable."""
        try:
            return self._arrived(self._decode(data))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise NotDecodable(str(error)) from error

    def from_plain(self, data: Any) -> Any:
        """Raises NotDecodable."""
        try:
            return self._arrived(msgspec.convert(data, type=self._wire, dec_hook=_read_amount))
        except (msgspec.MsgspecError, RecursionError) as error:
            raise NotDecodable(str(error)) from error

    def _arrived(self, value: Any) -> Any:
        return value if self._arrives else msgspec.convert(value, type=self._type, from_attributes=True)


@cache
def codec_of(type_: Any) -> Codec:
    return Codec(type_)


def encode(value: Any, type_: Any) -> bytes:
    """A value of this type as JSON."""
    return codec_of(type_).encode(value)


def decode(data: bytes | str, type_: Any) -> Any:
    """Raises NotDecodable."""
    return codec_of(type_).decode(data)


def to_plain(value: Any, type_: Any) -> Any:
    """A value as dicts, lists, strings and numbers, ready for a jsonb column."""
    return msgspec.json.decode(encode(value, type_))


def from_plain(data: Any, type_: Any) -> Any:
    """Raises NotDecodable."""
    return codec_of(type_).from_plain(data)


def pack(value: Any, type_: Any) -> bytes:
    """A value of this type as JSON. Raises NotDecodable where it could not travel."""
    try:
        return codec_of(type_).encode(value)
    except (msgspec.MsgspecError, TypeError, UnicodeError) as error:
        raise NotDecodable(f"{value!r} cannot travel as {type_}: {error}") from error


def copy[T](value: T, type_: Any) -> T:
    """The value as it would arrive after a journey over the wire. Raises NotDecodable where it could not travel."""
    return typing.cast(T, decode(pack(value, type_), type_))


_PLAIN = (str, int, bool, bytes, UUID, type(None), None, Ellipsis)


@cache
def wire_type(type_: Any) -> Any:
    """The type whose JSON is the wire's: dataclasses become structs with camelCase names, all else stays."""
    if dataclasses.is_dataclass(type_) and isinstance(type_, type):
        return _struct(type_)
    if type_ is Decimal:
        return _Amount
    if type_ is datetime:
        # Of a time without a zone nobody can say when it was.
        return typing.Annotated[datetime, msgspec.Meta(tz=True)]
    arguments = get_args(type_)
    if not arguments:
        return type_
    mapped = tuple(argument if argument is Ellipsis else wire_type(argument) for argument in arguments)
    origin = get_origin(type_)
    if origin is typing.Union or type(type_).__name__ == "UnionType":
        return functools.reduce(operator.or_, mapped)
    return origin[mapped] if origin else type_


class _Amount(str):
    """A decimal on the wire: text, never a number, which some reader would take for a float."""

    __slots__ = ()


_AMOUNT = re.compile(r"-?\d{1,18}(\.\d{1,6})?", re.ASCII)


def _write_amount(value: Any) -> str:
    """The one thing that is ours and that msgspec does not know. Raises TypeError for whatever else it asks about."""
    if isinstance(value, _Amount):
        return str(value)
    raise TypeError(f"{value!r} cannot be written as JSON")


def _read_amount(type_: Any, value: Any) -> Any:
    if type_ is _Amount and isinstance(value, Decimal):
        return _Amount(format(value, "f"))
    if type_ is _Amount and isinstance(value, str) and _AMOUNT.fullmatch(value):
        return _Amount(value)
    raise ValueError(f"{value!r} is not a decimal string")


def _struct(type_: type) -> type[msgspec.Struct]:
    hints = get_type_hints(type_)
    fields: list[Any] = []
    for field in dataclasses.fields(type_):
        if get_origin(hints[field.name]) is Sequence:
            raise TypeError(f"{type_.__name__}.{field.name} is a Sequence: say tuple, which nobody can change")
        wire = wire_type(hints[field.name])
        if field.default is not dataclasses.MISSING:
            fields.append((field.name, wire, field.default))
        elif field.default_factory is not dataclasses.MISSING:
            fields.append((field.name, wire, msgspec.field(default_factory=field.default_factory)))
        else:
            fields.append((field.name, wire))
    return msgspec.defstruct(type_.__name__, fields, rename="camel", kw_only=True, frozen=True)


def _is_the_same(type_: Any) -> bool:
    """Whether what is read from the wire is the value already: it has no struct of ours in it, and no amount."""
    arguments = get_args(type_)
    if arguments:
        return all(_is_the_same(argument) for argument in arguments)
    return type_ in _PLAIN
