"""A deadline turns back what is not beyond the point of no return, and never what is, or may be."""

from __future__ import annotations

import pytest
from django.db import connections

from contracts._base import Unavailable
from runtime.saga import store
from runtime.saga.definition import Unknown, Waiting
from tests.runtime.saga.small_sagas import Endless, Hasty, Refused
from tests.together import shift_clock


@pytest.fixture(autouse=True)
def clock_back():
    yield
    connections.close_all()


@pytest.mark.parametrize(
    ("parked_at", "undos"),
    [("ask", []), ("hold", ["hold.undo"]), ("pay", ["pay.undo", "hold.undo"])],
)
def test_before_the_pivot_the_deadline_turns_back_and_the_open_step_is_undone_as_well(desk, parked_at, undos):
    desk.plan[f"{parked_at}.do"] = [Unavailable()]
    run = desk.go(desk.begin())
    shift_clock("orders", "61 seconds")

    run = desk.go_on(run)

    assert run.state == "compensated"
    assert desk.row(run).refusal["code"] == "expired"
    assert desk.tries()[-len(undos) - 1 :] == [*undos, "all.undone"]
    assert desk.tries().count(f"{parked_at}.do") == 1


@pytest.mark.parametrize("plan", [{}, {"ask.do": [Refused()]}])
def test_what_a_dead_holder_may_have_begun_and_not_written_down_is_undone_too(desk, plan):
    desk.plan["pay.do"] = [KeyboardInterrupt()]
    run = desk.begin()
    with pytest.raises(KeyboardInterrupt):
        desk.go(run)
    assert desk.row(run).step == 0
    desk.plan.update(plan)
    shift_clock("orders", "21 seconds" if plan else "61 seconds")

    run = desk.go_on(run)

    assert run.state == "compensated"
    assert desk.row(run).refusal["code"] == ("refused" if plan else "expired")
    assert desk.tries()[-3:] == ["pay.undo", "hold.undo", "all.undone"]


def test_a_step_that_nobody_can_have_begun_is_not_undone(desk):
    desk.plan["ask.do"] = [Unavailable(), Refused()]
    run = desk.go(desk.begin())

    run = desk.go_on(run)

    assert run.state == "compensated"
    assert desk.tries() == ["ask.do", "ask.do", "all.undone"]


def test_before_the_deadline_it_goes_forward(desk):
    desk.plan["pay.do"] = [Unavailable()]
    run = desk.go(desk.begin())
    shift_clock("orders", "58 seconds")

    assert desk.go_on(run).state == "completed"


def test_what_only_waits_at_the_pivot_is_turned_back_once_its_time_is_over(desk):
    desk.plan["pay.do"] = [Waiting()]
    run = desk.go(desk.begin())
    shift_clock("orders", "61 seconds")

    run = desk.go_on(run)

    assert run.state == "compensated"
    assert "pay.inquire" not in desk.tries()
    assert desk.tries()[-3:] == ["pay.undo", "hold.undo", "all.undone"]


def test_an_unknown_outcome_at_the_pivot_is_never_timed_out(desk):
    desk.plan["pay.do"] = [Unknown()]
    desk.plan["pay.inquire"] = [Unknown(), Unavailable(), None]
    run = desk.go(desk.begin())
    shift_clock("orders", "1 day")
    for _ in range(2):
        run = desk.go_on(run)
        assert desk.row(run).state == "running"

    run = desk.go_on(run)

    assert run.state == "completed"
    assert "pay.undo" not in desk.tries()
    assert desk.row(run).refusal is None


def test_what_waited_first_and_is_unknown_since_is_not_timed_out_either(desk):
    desk.plan["pay.do"] = [Waiting()]
    desk.plan["pay.inquire"] = [Unknown(), None]
    run = desk.go_on(desk.go(desk.begin()))
    shift_clock("orders", "1 day")

    assert desk.go_on(run).state == "completed"


def test_beyond_the_pivot_it_only_goes_forward(desk):
    desk.plan["send.do"] = [Unavailable(), None]
    run = desk.go(desk.begin())
    shift_clock("orders", "1 day")

    assert desk.go_on(run).state == "completed"
    assert [name for name in desk.tries() if "undo" in name] == []


def test_while_undoing_the_deadline_says_nothing(desk):
    desk.plan["hold.do"] = [Unavailable()]
    run = desk.go(desk.begin())
    shift_clock("orders", "61 seconds")
    desk.plan["hold.undo"] = [Unavailable()]
    run = desk.go_on(run)
    assert desk.row(run).state == "compensating"
    shift_clock("orders", "1 day")

    run = desk.go_on(run)

    assert (run.state, desk.row(run).refusal["code"]) == ("compensated", "expired")


def test_without_a_deadline_nothing_is_ever_too_late(desk):
    desk.plan["ask.do"] = [Unavailable()]
    run = desk.go(desk.begin(Endless))
    assert desk.row(run).deadline_at is None
    shift_clock("orders", "10 years")

    assert desk.go_on(run).state == "completed"


def test_the_deadline_is_counted_from_the_start_by_the_databases_clock(desk):
    run = desk.begin()

    assert (desk.row(run).deadline_at - desk.row(run).created_at).total_seconds() == pytest.approx(60.0, abs=0.1)
    assert store.claim(run.id, using="orders") is None


def test_a_step_has_its_own_deadline_from_when_it_was_come_to(desk):
    desk.plan["ask.do"] = [Unavailable(), None]
    desk.plan["hold.do"] = [Waiting(), Waiting()]
    run = desk.go(desk.begin(Hasty))
    shift_clock("orders", "40 seconds")
    assert desk.go_on(run).state == "running"
    shift_clock("orders", "69 seconds")
    assert desk.go_on(run).state == "running"
    shift_clock("orders", "71 seconds")

    run = desk.go_on(run)

    assert (run.state, desk.row(run).refusal["code"]) == ("compensated", "expired")
    assert desk.tries()[-1] == "hold.undo"


def test_a_step_that_is_unknown_is_not_ended_by_its_deadline(desk):
    desk.plan["hold.do"] = [Unknown(), None]
    run = desk.go(desk.begin(Hasty))
    shift_clock("orders", "1 minute")

    assert desk.go_on(run).state == "completed"
