"""What /metrics says of processes is what became of them: each try once, and an end when it is written down."""

from __future__ import annotations

from django.db.utils import OperationalError

from contracts._base import Unavailable
from tests.growth import Growth
from tests.runtime.saga.small_sagas import Refused, Trip

RUNS, STEPS = "mitosis_saga_runs_total", "mitosis_saga_steps_total"


def test_a_process_that_goes_well_counts_its_beginning_its_end_and_each_step_once(desk):
    grown = Growth()

    desk.go(desk.begin())

    assert grown.of(RUNS) == {(Trip.name, "started"): 1, (Trip.name, "completed"): 1}
    assert grown.of(STEPS) == {(Trip.name, step.name, "do", "succeeded"): 1 for step in Trip.steps}


def test_a_try_that_failed_is_counted_and_a_process_that_is_parked_has_no_end(desk):
    desk.plan["hold.do"] = [Unavailable("away")]
    grown = Growth()

    desk.go(desk.begin())

    assert grown.of(RUNS) == {(Trip.name, "started"): 1}
    assert grown.of(STEPS) == {
        (Trip.name, "ask", "do", "succeeded"): 1,
        (Trip.name, "hold", "do", "unavailable"): 1,
    }


def test_what_is_refused_is_counted_with_what_is_undone_and_ends_compensated(desk):
    desk.plan["pay.do"] = [Refused()]
    grown = Growth()

    desk.go(desk.begin())

    assert grown.of(RUNS) == {(Trip.name, "started"): 1, (Trip.name, "compensated"): 1}
    assert grown.of(STEPS) == {
        (Trip.name, "ask", "do", "succeeded"): 1,
        (Trip.name, "hold", "do", "succeeded"): 1,
        (Trip.name, "pay", "do", "rejected"): 1,
        (Trip.name, "pay", "undo", "succeeded"): 1,
        (Trip.name, "hold", "undo", "succeeded"): 1,
    }


def test_a_local_step_that_was_not_committed_has_not_succeeded(desk, monkeypatch):
    from runtime.saga import store

    def away(*args, **more) -> None:
        raise OperationalError("the server closed the connection unexpectedly")

    run = desk.begin()
    kept = store.save
    saves = iter((away, kept))
    monkeypatch.setattr(store, "save", lambda *args, **more: next(saves)(*args, **more))
    grown = Growth()

    desk.go(run)

    assert {key[1:]: value for key, value in grown.of(STEPS).items() if key[1] == "book"} == {
        ("book", "do", "unavailable"): 1
    }


def test_a_bug_is_counted_as_one_that_needs_attention(desk):
    desk.plan["hold.do"] = [ZeroDivisionError("a bug")]
    grown = Growth()

    desk.go(desk.begin())

    assert grown.of(RUNS) == {(Trip.name, "started"): 1, (Trip.name, "needs_attention"): 1}
    assert grown.of(STEPS)[Trip.name, "hold", "do", "failed"] == 1
