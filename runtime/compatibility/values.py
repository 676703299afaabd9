"""
Two schemas of one value, compared from both sides of the wire.

*Readers* know the old schema and are sent what the new one describes; *writers* send what the old one describes to
somebody who knows the new one. A class's name is not on the wire: values are compared by what they are made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.codec.schemas import Schema

_REF = "#/$defs/"
_SAYS_NOTHING = {"title", "default"}
_MADE_OF = {"type", "properties", "required", "additionalProperties", "items", "prefixItems"}
_KINDS = {str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True, slots=True)
class Change:
    """``remedy`` is what would spare the writers, where there is something."""

    subject: str
    what: str
    breaks_readers: bool = False
    breaks_writers: bool = False
    remedy: str = ""


class Walk:
    """Goes down two schemas side by side; each pair of classes once, so that a value may contain its like."""

    def __init__(self, old: Mapping[str, Schema], new: Mapping[str, Schema]) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[str, str]] = set()

    def value(self, old: Schema, new: Schema, subject: str) -> Iterator[Change]:
        """What changed of one value, and further down of what it is made of."""
        before, after = _by_kind(old, self._old), _by_kind(new, self._new)
        yield from _null(before, after, subject)
        was, now = before.keys() - {"null"}, after.keys() - {"null"}
        if was != now:
            yield Change(
                subject,
                f"was {_described(before)} and is {_described(after)}",
                breaks_readers=not _covers(was, now),
                breaks_writers=not _covers(now, was),
            )
        for kind in sorted(was & now):
            yield from self._same_kind(before[kind], after[kind], subject)

    def fields(self, old: Schema, new: Schema, subject: str) -> Iterator[Change]:
        """What changed of an object's fields; ``subject`` has a place for the field's name: ``Order.{}``."""
        before, after = old["properties"], new["properties"]
        for name in sorted(before.keys() - after.keys()):
            refused = new.get("additionalProperties") is False
            yield Change(subject.format(name), "was removed", breaks_readers=True, breaks_writers=refused)
        for name in sorted(after.keys() - before.keys()):
            yield _added(subject.format(name), required=name in new.get("required", ()))
        for name in sorted(before.keys() & after.keys()):
            presence = (name in old.get("required", ()), name in new.get("required", ()))
            yield from _presence(subject.format(name), *presence)
            if presence == (False, False) and before[name].get("default") != after[name].get("default"):
                yield Change(subject.format(name), "means something else where it is left out")
            yield from self.value(before[name], after[name], subject.format(name))

    def _same_kind(self, old: Schema, new: Schema, subject: str) -> Iterator[Change]:
        yield from _choices(old, new, subject)
        yield from _constraints(old, new, subject)
        if "properties" in old and "properties" in new:
            pair = (old.get("title", ""), new.get("title", ""))
            if pair not in self._seen:
                self._seen.add(pair)
                yield from self.fields(old, new, f"{pair[0]}.{{}}")
        elif ("properties" in old) != ("properties" in new) or _places(old) != _places(new):
            yield Change(subject, f"was {_name(old)} and is {_name(new)}", breaks_readers=True, breaks_writers=True)
        else:
            yield from self._parts(old, new, subject)

    def _parts(self, old: Schema, new: Schema, subject: str) -> Iterator[Change]:
        for part in ("items", "additionalProperties"):
            before, after = old.get(part, {}), new.get(part, {})
            # Empty on both sides: of anything, and a list of anything has no parts to go down to.
            if (before or after) and isinstance(before, dict) and isinstance(after, dict):
                yield from self.value(before, after, f"{subject}[]")
        pairs = zip(old.get("prefixItems", ()), new.get("prefixItems", ()), strict=True)
        for number, (one, other) in enumerate(pairs):
            yield from self.value(one, other, f"{subject}[{number}]")


def _by_kind(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """What a value may be, by JSON's kinds of values. The codec allows at most one of each in a union."""
    found: dict[str, Schema] = {}
    for part in schema.get("anyOf", [schema]):
        reference = part.get("$ref")
        resolved = definitions[reference.removeprefix(_REF)] if reference else part
        if "enum" in resolved:
            choices: list[Any] = resolved["enum"]
            found |= {_KINDS[type(choice)]: resolved for choice in choices if choice is not None}
            found |= {"null": resolved} if None in choices else {}
        else:
            found[resolved.get("type", "anything")] = resolved
    return found


def _null(before: Mapping[str, Schema], after: Mapping[str, Schema], subject: str) -> Iterator[Change]:
    if "anything" in before.keys() | after.keys():
        return
    if "null" in after and "null" not in before:
        yield Change(subject, "may now be null", breaks_readers=True)
    if "null" in before and "null" not in after:
        yield Change(subject, "may no longer be null", breaks_writers=True)


def _covers(wide: set[str], narrow: set[str]) -> bool:
    """Whether who takes the first kinds takes the second ones as well."""
    more = {"integer"} if "number" in wide else set()
    return "anything" in wide or narrow <= wide | more


def _added(subject: str, *, required: bool) -> Change:
    if required:
        return Change(subject, "is new and required", breaks_writers=True, remedy="give it a default")
    return Change(subject, "is new and may be left out")


def _presence(subject: str, was_required: bool, is_required: bool) -> Iterator[Change]:
    if was_required and not is_required:
        yield Change(subject, "may now be left out", breaks_readers=True)
    if is_required and not was_required:
        yield Change(subject, "may no longer be left out", breaks_writers=True, remedy="give it its default again")


def _choices(old: Schema, new: Schema, subject: str) -> Iterator[Change]:
    """Values that are listed one by one."""
    if "enum" in old and "enum" in new:
        for value in [value for value in new["enum"] if value not in old["enum"] and value is not None]:
            yield Change(subject, f"may now be {value!r}", breaks_readers=True)
        for value in [value for value in old["enum"] if value not in new["enum"] and value is not None]:
            yield Change(subject, f"may no longer be {value!r}", breaks_writers=True)


def _constraints(old: Schema, new: Schema, subject: str) -> Iterator[Change]:
    """Formats, patterns and bounds. One that differs breaks both: which of two patterns is wider, nobody can say."""
    if _places(old) or _places(new):
        return
    before, after = _limits(old), _limits(new)
    if "enum" in before and "enum" in after:
        after["enum"] = before["enum"]
    if before != after:
        yield Change(
            subject,
            f"was {_name(old)} and is {_name(new)}",
            breaks_readers=not before.items() <= after.items(),
            breaks_writers=not after.items() <= before.items(),
        )


def _limits(schema: Schema) -> Schema:
    """What keeps a value smaller than its kind."""
    return {key: value for key, value in schema.items() if key not in _MADE_OF | _SAYS_NOTHING}


def _places(schema: Schema) -> int:
    """How many values of kinds of their own a list has, one after another; none where it is as long as it likes."""
    return len(schema.get("prefixItems", ()))


def _described(kinds: Mapping[str, Schema]) -> str:
    return " or ".join(sorted({_name(schema) for kind, schema in kinds.items() if kind != "null"})) or "null"


def _name(schema: Schema) -> str:
    """A value's kind in a word or two: "string (uuid)"."""
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    kind = schema.get("title") or schema.get("type", "anything")
    details = [f"of {places}"] if (places := _places(schema)) else [str(limit) for limit in _limits(schema).values()]
    return f"{kind} ({', '.join(details)})" if details else kind
