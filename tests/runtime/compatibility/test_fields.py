"""A change of a value is judged by who reads it and who writes it: each kind of change, in each of three places."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import pytest

from contracts._base import Money
from runtime.compatibility import Snapshot, Verdict, compare
from tests.runtime.compatibility.shops import answering, asking, telling, value

OK, NO = Verdict.COMPATIBLE, Verdict.BREAKING

COMMIT = "run manage.py contracts snapshot and commit it"
LEAVE = "leave it as it was for those who call parcels.find, and put what is new beside it"
TAKE = "go on taking what those who call parcels.keep send today"
RAISE = "raise the version of BoxSent and keep an upcaster"


Size = enum.Enum("Size", {"SMALL": "small", "LARGE": "large"})
MoreSizes = enum.Enum("Size", {"SMALL": "small", "LARGE": "large", "HUGE": "huge"})

INNER = value({"sku": str}, name="Line")
INNER_MORE = value({"sku": str, "count": int}, name="Line")
RENAMED = value({"sku": str}, name="OrderLine")

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], str, tuple[Verdict, Verdict, Verdict]]] = {
    # what happened: (fields before, fields after, the sentence's beginning, (told, answered, asked))
    "removed": ({"a": int, "total": int}, {"a": int}, "{}.total was removed", (NO, NO, OK)),
    "new and required": ({"a": int}, {"a": int, "total": int}, "{}.total is new and required", (NO, OK, NO)),
    "may be null": ({"a": int}, {"a": int | None}, "{}.a may now be null", (NO, NO, OK)),
    "never null": ({"a": int | None}, {"a": int}, "{}.a may no longer be null", (NO, OK, NO)),
    "widened": ({"a": int}, {"a": float}, "{}.a was integer and is number", (NO, NO, OK)),
    "narrowed": ({"a": float}, {"a": int}, "{}.a was number and is integer", (NO, OK, NO)),
    "another type": ({"a": int}, {"a": str}, "{}.a was integer and is string", (NO, NO, NO)),
    "text to uuid": ({"a": str}, {"a": UUID}, "{}.a was string and is string (uuid)", (NO, OK, NO)),
    "uuid to text": ({"a": UUID}, {"a": str}, "{}.a was string (uuid) and is string", (NO, NO, OK)),
    "another format": (
        {"a": UUID},
        {"a": datetime},
        "{}.a was string (uuid) and is string (date-time)",
        (NO, NO, NO),
    ),
    "another value": ({"a": Literal["x"]}, {"a": Literal["x", "y"]}, "{}.a may now be 'y'", (NO, NO, OK)),
    "one value less": ({"a": Literal["x", "y"]}, {"a": Literal["x"]}, "{}.a may no longer be 'y'", (NO, OK, NO)),
    "another member": ({"a": Size}, {"a": MoreSizes}, "{}.a may now be 'huge'", (NO, NO, OK)),
    "one member less": ({"a": MoreSizes}, {"a": Size}, "{}.a may no longer be 'huge'", (NO, OK, NO)),
    "values to text": ({"a": Literal["x"]}, {"a": str}, "{}.a was one of x and is string", (NO, NO, OK)),
    "text to values": ({"a": str}, {"a": Literal["x"]}, "{}.a was string and is one of x", (NO, OK, NO)),
    "anything": ({"a": int}, {"a": Any}, "{}.a was integer and is anything", (NO, NO, OK)),
    "no longer anything": ({"a": Any}, {"a": int}, "{}.a was anything and is integer", (NO, OK, NO)),
    "anything but null": (
        {"a": Any},
        {"a": int | None},
        "{}.a was anything and is integer",
        (NO, OK, NO),
    ),
    "a union that grew": ({"a": int}, {"a": int | str}, "{}.a was integer and is integer or string", (NO, NO, OK)),
    "in a list": ({"a": tuple[int, ...]}, {"a": tuple[str, ...]}, "{}.a[] was integer and is string", (NO, NO, NO)),
    "in a dictionary": (
        {"a": dict[str, int]},
        {"a": dict[str, Any]},
        "{}.a[] was integer and is anything",
        (NO, NO, OK),
    ),
    "in a tuple": ({"a": tuple[int, str]}, {"a": tuple[int, int]}, "{}.a[1] was string and is integer", (NO, NO, NO)),
    "a longer tuple": (
        {"a": tuple[int, int]},
        {"a": tuple[int, int, int]},
        "{}.a was array (of 2) and is array (of 3)",
        (NO, NO, NO),
    ),
    "a tuple to a list": (
        {"a": tuple[int, int]},
        {"a": tuple[int, ...]},
        "{}.a was array (of 2) and is array",
        (NO, NO, NO),
    ),
    "a list for one": ({"a": str}, {"a": tuple[str, ...]}, "{}.a was string and is array", (NO, NO, NO)),
    "a plain dictionary": (
        {"a": Money, "b": Money},
        {"a": dict[str, str], "b": Money},
        "{}.a was Money and is object",
        (NO, NO, NO),
    ),
    "further down": ({"a": INNER}, {"a": INNER_MORE}, "Line.count is new and required", (NO, OK, NO)),
    "in a list of values": (
        {"a": tuple[INNER_MORE, ...]},
        {"a": tuple[INNER, ...]},
        "Line.count was removed",
        (NO, NO, OK),
    ),
}


def only(old: Snapshot, new: Snapshot) -> tuple[Verdict, str]:
    (found,) = compare("parcels", old, new)
    assert found.domain == "parcels"
    return found.verdict, found.sentence


@pytest.fixture(params=CHANGES, ids=lambda name: name.replace(" ", "-"))
def change(request: pytest.FixtureRequest) -> Any:
    return CHANGES[request.param]


def repaired(verdict: Verdict, advice: str) -> str:
    return advice if verdict is NO else COMMIT


def test_in_an_event_it_breaks_where_it_breaks_older_readers_or_older_facts(change: Any) -> None:
    before, after, sentence, (verdict, _, _) = change
    default = "give it a default, or " if "new and required" in sentence else ""

    assert only(telling(before), telling(after)) == (
        verdict,
        f"{sentence.format('BoxSent')}: {repaired(verdict, default + RAISE)}",
    )


def test_in_an_answer_it_breaks_where_callers_could_not_read_it(change: Any) -> None:
    before, after, sentence, (_, verdict, _) = change

    assert only(answering(before), answering(after)) == (
        verdict,
        f"{sentence.format('Box')}: {repaired(verdict, LEAVE)}",
    )


def test_in_a_question_it_breaks_where_callers_would_not_be_understood(change: Any) -> None:
    before, after, sentence, (_, _, verdict) = change
    advice = "give it a default" if "new and required" in sentence else TAKE

    assert only(asking(before), asking(after)) == (verdict, f"{sentence.format('Box')}: {repaired(verdict, advice)}")


# --- Defaults ---------------------------------------------------------------------------------------------------------

PLAIN, MORE = {"a": int}, {"a": int, "b": int}


@pytest.mark.parametrize("place", [telling, answering, asking])
def test_a_new_field_with_a_default_breaks_nobody(place: Any) -> None:
    verdict, sentence = only(place(PLAIN), place(MORE, b=0))

    assert verdict is OK
    assert sentence.endswith(f".b is new and may be left out: {COMMIT}")


@pytest.mark.parametrize(("place", "expected"), [(telling, NO), (answering, NO), (asking, OK)])
def test_a_field_that_gets_a_default_may_be_missing_from_what_is_read(place: Any, expected: Verdict) -> None:
    verdict, sentence = only(place(MORE), place(MORE, b=0))

    assert verdict is expected
    assert ".b may now be left out: " in sentence


@pytest.mark.parametrize(("place", "expected"), [(telling, NO), (answering, OK), (asking, NO)])
def test_a_field_that_loses_its_default_is_missed_in_what_is_sent(place: Any, expected: Verdict) -> None:
    verdict, sentence = only(place(MORE, b=0), place(MORE))

    assert verdict is expected
    assert ".b may no longer be left out: " in sentence
    assert ("give it its default again" in sentence) is (expected is NO)


@pytest.mark.parametrize("place", [telling, answering, asking])
def test_another_default_is_named(place: Any) -> None:
    verdict, sentence = only(place(MORE, b=0), place(MORE, b=1))

    assert verdict is OK
    assert sentence.endswith(f".b means something else where it is left out: {COMMIT}")


# --- Names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [answering, asking])
def test_a_class_that_is_renamed_is_the_same_on_the_wire(place: Any) -> None:
    found = compare("parcels", place({"a": RENAMED}), place({"a": INNER}))

    assert [(one.verdict, one.sentence) for one in found] == [
        (OK, f"Line is a new value: {COMMIT}"),
        (OK, f"OrderLine no longer crosses under this name: {COMMIT}"),
    ]


def test_a_field_that_is_renamed_is_another_one() -> None:
    found = compare("parcels", telling({"a": int}), telling({"b": int}))

    assert [(one.verdict, f"{one.subject} {one.what}") for one in found] == [
        (NO, "BoxSent.a was removed"),
        (NO, "BoxSent.b is new and required"),
    ]


@pytest.mark.parametrize("place", [telling, answering, asking])
def test_what_is_the_same_has_no_differences(place: Any) -> None:
    fields = {"a": tuple[INNER, ...], "b": Money, "c": dict[str, Any], "d": tuple[int, str], "e": Size, "f": Any}

    assert compare("parcels", place(fields), place(fields)) == []


def test_a_value_that_contains_its_like_is_gone_down_to_once() -> None:
    def tree(**more: Any) -> Snapshot:
        branch = {"items": {"$ref": "#/$defs/Tree"}, "type": "array"}
        properties = {"branches": branch, **more}
        found = answering({"a": int}, name="Tree")
        found["$defs"]["Tree"] |= {"properties": properties, "required": sorted(properties)}
        return found

    assert only(tree(), tree(age={"type": "integer"})) == (OK, f"Tree.age is new and required: {COMMIT}")
