"""How a process may be written down, and that a run keeps to the version it was begun under."""

from __future__ import annotations

from uuid import uuid4

import pytest

from contracts._base import Unavailable
from runtime.saga import store
from runtime.saga.definition import Saga, Step, UnknownSaga, definition_of
from runtime.saga.engine import advance
from tests.runtime.saga.small_sagas import Endless, Trip, act


def nothing(run) -> None:
    """A step that does nothing."""


def test_two_steps_of_one_name_are_refused():
    with pytest.raises(ValueError, match="Twice has two steps of one name: a, a"):
        type(
            "Twice", (Saga,), {"name": "test.twice", "steps": (Step(name="a", do=nothing), Step(name="a", do=nothing))}
        )


def test_two_points_of_no_return_are_refused():
    steps = tuple(Step(name=name, do=nothing, pivot=True) for name in "ab")
    with pytest.raises(ValueError, match="Pivots has more than one pivot"):
        type("Pivots", (Saga,), {"name": "test.pivots", "steps": steps})


@pytest.mark.parametrize("more", [{"undo": nothing}, {"inquire": nothing}])
def test_a_local_step_with_an_undo_or_an_inquiry_is_refused(more):
    with pytest.raises(ValueError, match="step 'a' is local: its transaction undoes it"):
        Step(name="a", do=nothing, local=True, **more)


def test_a_definition_that_is_refused_is_not_known_afterwards():
    with pytest.raises(UnknownSaga, match=r"there is no saga 'test.twice' of version 1 here"):
        definition_of("test.twice", 1)


def test_a_definition_is_found_by_name_and_version_and_by_nothing_else():
    assert definition_of("test.trip", 1) is Trip
    with pytest.raises(UnknownSaga):
        definition_of("test.trip", 2)


def test_the_pivot_is_where_it_is_marked_and_at_the_end_where_it_is_not():
    assert Trip.pivot_index() == 2
    assert Endless.pivot_index() == 2 == len(Endless.steps)


def test_a_run_goes_on_in_the_version_it_was_begun_under(desk):
    class Old(Saga):
        name = "test.changing"
        domain = "orders"
        steps = (Step(name="ask", do=act("ask", "do")), Step(name="old", do=act("old", "do")))

    desk.plan["ask.do"] = [Unavailable()]
    run = desk.go(desk.begin(Old))

    class New(Saga):
        name = "test.changing"
        version = 2
        domain = "orders"
        steps = (Step(name="new", do=act("new", "do")),)

    assert desk.go_on(run).state == "completed"
    assert desk.go(desk.begin(New)).state == "completed"
    assert desk.tries() == ["ask.do", "ask.do", "old.do", "new.do"]


def test_a_run_whose_definition_is_not_here_is_left_for_somebody_who_has_it(desk):
    run = desk.begin()
    run.version = 99

    with pytest.raises(UnknownSaga, match=r"'test.trip' of version 99"):
        advance(run, budget=1.0)

    assert (desk.row(run).state, desk.row(run).step) == ("running", 0)


def test_a_step_beyond_the_pivot_can_have_no_deadline_since_nothing_turns_back_there():
    with pytest.raises(ValueError, match="late can have no deadline"):

        class Wrong(Saga):
            name = "test.wrong"
            domain = "orders"
            steps = (
                Step(name="pay", do=nothing, pivot=True),
                Step(name="late", do=act("a", "do"), deadline=1.0),
            )


def test_a_deadline_of_nothing_is_refused():
    with pytest.raises(ValueError, match="'hold' has a deadline of 0"):
        Step(name="hold", do=act("hold", "do"), deadline=0)


def test_two_processes_of_one_name_and_version_are_refused():
    with pytest.raises(ValueError, match=r"are both 'test.trip' of version 1"):

        class Impostor(Saga):
            name = "test.trip"
            domain = "orders"
            steps = (Step(name="ask", do=act("ask", "do")),)

    assert definition_of("test.trip", 1) is Trip


def test_a_process_is_started_in_the_transaction_of_what_it_is_about(desk):
    with pytest.raises(store.StartedOutsideTransaction, match=r"test\.trip"):
        store.start(Trip, subject=uuid4(), data={})
