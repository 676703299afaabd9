"""Events, methods and errors that come, go or change, each with its verdict and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol
from uuid import UUID

import pytest

from contracts._base import Event, Rejected, Unavailable
from runtime.compatibility import EMPTY, Snapshot, Verdict, compare
from tests.runtime.compatibility.shops import (
    Parcel,
    ParcelLost,
    Parcels,
    ParcelSent,
    ScalesBroken,
    taken,
    telling,
    value,
)

COMMIT = "run manage.py contracts snapshot and commit it"
OK, NEW, NO = Verdict


def lines(old: Snapshot, new: Snapshot) -> list[tuple[Verdict, str]]:
    return [(one.verdict, one.sentence) for one in compare("parcels", old, new)]


def event(**changed: Any) -> type[Event]:
    return type("ParcelSent", (ParcelSent,), changed)


# --- Events -----------------------------------------------------------------------------------------------------------


def test_an_event_that_is_new_is_compatible() -> None:
    assert lines(taken(events=()), taken()) == [(OK, f"ParcelSent is a new event: {COMMIT}")]


def test_an_event_that_is_gone_breaks() -> None:
    assert lines(taken(), taken(events=())) == [
        (NO, "ParcelSent is told no longer: tell it until nobody subscribes to it")
    ]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"exchange": "post"}, "had the exchange parcels and has post"),
        ({"routing_key": "parcel.gone"}, "had the routing key parcel.sent and has parcel.gone"),
    ],
)
def test_an_event_at_another_address_breaks(changed: dict[str, Any], what: str) -> None:
    advice = "queues are bound to the old one: put it back, or tell a new event"

    assert lines(taken(), taken(events=(event(**changed),))) == [(NO, f"ParcelSent {what}: {advice}")]


RAISED = (
    "BoxSent was raised from version 1 to 2: deploy every consumer first (one that does not know it parks it) and keep"
    f" an upcaster; {COMMIT}"
)


def test_with_its_version_raised_an_events_changes_belong_to_the_new_version() -> None:
    before, after = telling({"total": int, "kind": str}), telling({"kind": int, "user": str}, version=2)

    assert lines(before, after) == [
        (NEW, RAISED),
        (NEW, "BoxSent.kind was string and is integer: it belongs to version 2 of BoxSent"),
        (NEW, "BoxSent.total was removed: it belongs to version 2 of BoxSent"),
        (NEW, "BoxSent.user is new and required: it belongs to version 2 of BoxSent"),
    ]


def test_a_version_that_is_raised_for_nothing_is_named_too() -> None:
    assert lines(telling({"a": int}), telling({"a": int}, version=2)) == [(NEW, RAISED)]


def test_a_version_that_goes_back_breaks() -> None:
    assert lines(telling({"a": int}, version=2), telling({"a": int})) == [
        (
            NO,
            "BoxSent went back from version 2 to 1: events of the newer one are written already: versions only go up",
        )
    ]


def test_a_raised_version_does_not_excuse_the_other_uses_of_a_value() -> None:
    def contract(line: Any, *, version: int) -> Snapshot:
        word: dict[str, Any] = {"exchange": "parcels"}
        raised = value({"line": line}, name="A", bases=(Event,), namespace=word | _named("A", "a.a", version))
        kept = value({"line": line}, name="B", bases=(Event,), namespace=word | _named("B", "b.b", 1))
        return taken(_answering(line), events=(raised, kept), errors=())

    old = contract(value({"sku": str, "count": int}, name="Line"), version=1)
    new = contract(value({"sku": str}, name="Line"), version=2)

    (breaking,) = [sentence for verdict, sentence in lines(old, new) if verdict is NO]
    assert breaking == (
        "Line.count was removed: raise the version of B and keep an upcaster;"
        " leave it as it was for those who call parcels.find, and put what is new beside it"
    )


def test_what_no_version_can_spare_callers_is_not_called_for_with_a_version() -> None:
    def contract(line: Any) -> Snapshot:
        namespace: dict[str, Any] = {"exchange": "parcels"} | _named("A", "a.a", 1)
        told = value({"line": line}, name="A", bases=(Event,), namespace=namespace)

        class Boxes(Protocol):
            def keep(self, *, line: Any) -> None: ...

        Boxes.keep.__annotations__ = {"line": line, "return": None}
        return taken(Boxes, events=(told,), errors=())

    old, new = contract(value({"a": int}, name="Line")), contract(value({"a": int, "b": int}, name="Line"))

    assert lines(old, new) == [(NO, "Line.b is new and required: give it a default")]
    assert lines(new, old) == [(NO, "Line.b was removed: raise the version of A and keep an upcaster")]


def _named(name: str, routing_key: str, version: int) -> dict[str, Any]:
    return {"name": name, "routing_key": routing_key, "version": version}


def _answering(line: Any) -> type:
    class Boxes(Protocol):
        def find(self) -> Any: ...

    Boxes.find.__annotations__ = {"return": line}
    return Boxes


# --- Methods ----------------------------------------------------------------------------------------------------------


class OnlyFinds(Protocol):
    def find(self, *, parcel_id: UUID, closely: bool = False) -> Parcel:
        """Raises ParcelLost."""
        ...


def test_a_method_that_is_new_is_compatible() -> None:
    assert lines(taken(OnlyFinds), taken()) == [(OK, f"parcels.send is a new method: {COMMIT}")]


def test_a_method_that_is_gone_breaks() -> None:
    assert lines(taken(), taken(OnlyFinds)) == [(NO, "parcels.send was removed: keep it until nobody calls it")]


class FindsWithMore(Protocol):
    def find(self, *, parcel_id: UUID, closely: bool = False, where: str, how: str = "") -> Parcel:
        """Raises ParcelLost."""
        ...


def test_a_parameter_that_is_new_breaks_only_where_it_is_required() -> None:
    assert lines(taken(OnlyFinds), taken(FindsWithMore)) == [
        (NO, "parcels.find(where) is new and required: give it a default"),
        (OK, f"parcels.find(how) is new and may be left out: {COMMIT}"),
    ]


def test_a_parameter_that_is_gone_breaks_since_a_call_that_names_it_is_refused() -> None:
    advice = "go on taking what those who call parcels.find send today"

    assert lines(taken(FindsWithMore), taken(OnlyFinds)) == [
        (NO, f"parcels.find(how) was removed: {advice}"),
        (NO, f"parcels.find(where) was removed: {advice}"),
    ]


class FindsOtherwise(Protocol):
    def find(self, *, parcel_id: str, closely: bool) -> tuple[Parcel, ...]:
        """Raises ScalesBroken."""
        ...


def test_a_parameter_and_an_answer_of_another_type_are_judged_from_the_callers_side() -> None:
    assert lines(taken(OnlyFinds), taken(FindsOtherwise)) == [
        (
            NO,
            "parcels.find() was Parcel and is array: leave it as it was for those who call parcels.find,"
            " and put what is new beside it",
        ),
        (NO, "parcels.find(closely) may no longer be left out: give it its default again"),
        (OK, f"parcels.find may now raise scales_broken: {COMMIT}"),
        (OK, f"parcels.find raises parcel_lost no longer: {COMMIT}"),
        (OK, f"parcels.find(parcel_id) was string (uuid) and is string: {COMMIT}"),
    ]


class TakesSomething(Protocol):
    def find(self) -> Parcel: ...
    def send(self, *, parcels: Sequence[Parcel]) -> None: ...


def test_a_value_that_is_both_taken_and_answered_gets_the_stricter_verdict() -> None:
    old, new = taken(TakesSomething), taken(TakesSomething)
    del old["$defs"]["Parcel"]["properties"]["weight"]
    old["$defs"]["Parcel"]["required"].remove("weight")

    assert lines(old, new) == [(NO, "Parcel.weight is new and required: give it a default")]
    assert lines(new, old) == [
        (
            NO,
            "Parcel.weight was removed: leave it as it was for those who call parcels.find,"
            " and put what is new beside it",
        )
    ]


# --- Errors -----------------------------------------------------------------------------------------------------------


class OnlySilent(Protocol):
    pass


def errors(*kinds: Any) -> Snapshot:
    return taken(OnlySilent, events=(), errors=kinds)


def test_an_error_that_is_new_is_compatible() -> None:
    assert lines(errors(ParcelLost), errors(ParcelLost, ScalesBroken)) == [
        (OK, f"The error scales_broken (ScalesBroken) is new: who does not know it goes by its kind; {COMMIT}")
    ]


def test_an_error_that_is_gone_breaks() -> None:
    assert lines(errors(ParcelLost), errors()) == [
        (NO, "The error parcel_lost (ParcelLost) was removed: keep it until nobody waits for it")
    ]


def test_an_error_of_another_kind_breaks() -> None:
    class Lost(Unavailable):
        """It is lost."""

        code: ClassVar[str] = "parcel_lost"
        may_have_run = False

    Lost.__name__ = "ParcelLost"

    assert lines(errors(ParcelLost), errors(Lost)) == [
        (NO, "The error parcel_lost was rejected and is unavailable: callers decide by the kind: make it a new error")
    ]


@pytest.mark.parametrize(("after", "words"), [(True, "may have run"), (False, "did not run")])
def test_an_error_that_says_otherwise_whether_the_call_ran_breaks(after: bool, words: str) -> None:
    old, new = (type("Slow", (Unavailable,), {"code": "slow", "may_have_run": ran}) for ran in (not after, after))

    assert lines(errors(old), errors(new)) == [
        (NO, f"The error slow now says that the call {words}: callers decide by it: make it a new error")
    ]


def test_an_error_whose_class_is_renamed_is_the_same_on_the_wire() -> None:
    class Lost(Rejected):
        """It is lost."""

        code: ClassVar[str] = "parcel_lost"

    assert lines(errors(ParcelLost), errors(Lost)) == [
        (OK, f"The error parcel_lost is Lost and was ParcelLost: only the code travels; {COMMIT}")
    ]


# --- All of it --------------------------------------------------------------------------------------------------------


def test_a_domain_that_is_new_breaks_nobody() -> None:
    assert {verdict for verdict, _ in lines(EMPTY, taken())} == {OK}


def test_a_domain_that_is_gone_breaks_with_each_event_method_and_error() -> None:
    assert [sentence.partition(":")[0] for verdict, sentence in lines(taken(), EMPTY) if verdict is NO] == [
        "ParcelSent is told no longer",
        "The error parcel_lost (ParcelLost) was removed",
        "The error scales_broken (ScalesBroken) was removed",
        "parcels.find was removed",
        "parcels.send was removed",
    ]


def test_many_uses_of_a_value_are_counted_and_not_all_named() -> None:
    def contract(line: Any) -> Snapshot:
        told = [
            value(
                {"line": line},
                name=f"E{n}",
                bases=(Event,),
                namespace={"exchange": "parcels"} | _named(f"E{n}", f"e.{n}", 1),
            )
            for n in range(5)
        ]
        return taken(OnlySilent, events=told, errors=())

    ((verdict, sentence),) = lines(contract(value({"a": int}, name="Line")), contract(value({"a": str}, name="Line")))

    assert verdict is NO
    assert sentence == (
        "Line.a was integer and is string: raise the version of E0, E1, E2 and 2 more and keep an upcaster"
    )


def test_nothing_differs_from_itself() -> None:
    assert lines(taken(), taken(Parcels)) == []
