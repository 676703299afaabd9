"""What a person has to look at: who is told of it, and that both ways on lead to an end, once, under the same keys."""

from __future__ import annotations

from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from contracts._base import Unavailable, new_id
from runtime.audit.models import AuditEntry
from runtime.audit.store import Decision
from runtime.calls import CrashedService
from runtime.saga import attention, store, sweeper
from runtime.saga.attention import NothingToUndo, NotStuck
from runtime.saga.checks import no_run_is_orphaned
from runtime.saga.definition import Unknown
from runtime.saga.figures import SagaFigures
from runtime.saga.models import SagaRun
from runtime.saga.run import LeaseLost
from tests.runtime.saga.small_sagas import Endless, Errand, Refused
from tests.together import shift_clock


@pytest.fixture(autouse=True)
def clock_back():
    yield
    connections.close_all()


def command(*words: str) -> str:
    out = StringIO()
    call_command("sagas", *words, stdout=out)
    return out.getvalue()


def decision() -> Decision:
    return Decision(operator=UUID(int=7), reason="It is mended.", key=new_id())


def resume(desk, run):
    """As the worker that is nudged for whatever is due."""
    ((due, epoch),) = store.take_due(using="orders", limit=10, nudge_again=store.LEASE)
    assert due == run.id
    sweeper.resume(due, domain="orders", after=epoch)
    return desk.row(run)


@pytest.fixture
def stuck(desk):
    """It stopped beyond the pivot: the money is taken, and the next step fails by a bug."""
    desk.plan["send.do"] = [ZeroDivisionError("oops"), ZeroDivisionError("oops")]
    run = desk.go(desk.begin())
    assert run.state == "needs_attention"
    return run


# --- When it stops --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [Unknown(detail="captured"), Unavailable("away")])
def test_a_step_beyond_the_pivot_that_does_not_end_is_tried_for_an_hour_and_then_needs_attention(desk, answer):
    desk.plan["send.do"] = [answer] * 6
    run = desk.go(desk.begin())
    shift_clock("orders", "3590 seconds")
    for _ in range(4):
        assert desk.go_on(run).state == "running"
    shift_clock("orders", "3601 seconds")

    assert desk.go_on(run).state == "needs_attention"

    row = desk.row(run)
    assert row.error is not None
    assert row.error.startswith("send was tried for 3600 s and did not end: ")
    assert (row.step, row.lease_until, desk.written()) == (3, None, [])


def test_a_domain_that_crashes_is_asked_again_for_two_minutes_whatever_was_before_and_then_a_person_has_to_look(desk):
    crash = CrashedService("payments.charge failed: 500 internal_error")
    desk.plan["send.do"] = [*[Unavailable("away")] * 5, crash, Unavailable("away"), crash, crash, crash]
    run = desk.go(desk.begin())
    shift_clock("orders", "1000 seconds")
    for _ in range(6):
        assert desk.go_on(run).state == "running"
    shift_clock("orders", "1119 seconds")
    assert desk.go_on(run).state == "running"
    shift_clock("orders", "1121 seconds")

    assert desk.go_on(run).state == "needs_attention"

    row = desk.row(run)
    assert row.error == "send was tried for 120 s and did not end: payments.charge failed: 500 internal_error"
    attention.retry(run.id, None, using="orders")
    assert resume(desk, run).state == "running"


def test_a_domain_that_is_itself_again_after_a_crash_is_asked_under_the_same_key_and_all_ends_well(desk):
    desk.plan["pay.do"] = [CrashedService("payments.charge failed")] * 3
    run = desk.go(desk.begin())
    for _ in range(2):
        assert desk.go_on(run).state == "running"

    assert desk.go_on(run).state == "completed"

    assert desk.done(run).count("pay.do") == 1
    assert ("pay", "do", "failed", 3) in desk.log(run)
    assert "crashed_since" not in desk.row(run).data


def test_after_a_night_without_power_one_try_says_nothing(desk):
    desk.plan["send.do"] = [Unavailable()] * 4
    run = desk.go(desk.begin())
    shift_clock("orders", "8 hours")
    for _ in range(3):
        assert desk.go_on(run).state == "running"

    assert desk.go_on(run).state == "completed"


def test_patience_is_for_a_step_and_begins_anew_with_each(desk):
    desk.plan["pay.do"] = [Refused()]
    desk.plan["pay.undo"] = [*[Unavailable()] * 5, None]
    desk.plan["hold.undo"] = [Unavailable()] * 9
    run = desk.go(desk.begin())
    shift_clock("orders", "3000 seconds")
    for _ in range(5):
        run = desk.go_on(run)
    shift_clock("orders", "6000 seconds")

    for _ in range(4):
        assert desk.go_on(run).state == "compensating"


def test_an_undo_that_fails_for_ever_is_never_dropped(desk):
    desk.plan["pay.do"] = [Refused()]
    desk.plan["pay.undo"] = [Unavailable()] * 5
    run = desk.go(desk.begin())
    shift_clock("orders", "2 hours")
    for _ in range(4):
        run = desk.go_on(run)

    assert run.state == "needs_attention"
    attention.retry(run.id, None, using="orders")
    assert resume(desk, run).state == "compensated"
    assert desk.done(run)[-2:] == ["pay.undo", "hold.undo"]


# --- Two ways on ----------------------------------------------------------------------------------------------------


def test_tried_again_it_goes_on_from_the_step_that_failed_and_does_nothing_twice(desk, stuck):
    desk.plan.clear()

    done = attention.retry(stuck.id, decision(), using="orders")

    assert (done.step, done.state) == ("send", "running")
    assert resume(desk, stuck).state == "completed"
    assert sorted(desk.done(stuck)) == ["ask.do", "hold.do", "pay.do", "send.do"]
    assert desk.tries().count("pay.do") == 1
    (entry,) = AuditEntry.objects.using("orders").filter(object_id=str(stuck.id))
    assert (entry.action, entry.reason, entry.operator) == ("orders.retry_process", "It is mended.", UUID(int=7))
    assert entry.before["error"] == "ZeroDivisionError: oops"


def test_undone_it_ends_with_nothing_left_also_beyond_its_pivot(desk, stuck):
    done = attention.compensate(stuck.id, decision(), using="orders")

    assert (done.step, done.state) == ("send", "compensating")
    row = resume(desk, stuck)
    assert (row.state, row.refusal["code"]) == ("compensated", "operator")
    assert desk.done(stuck)[-2:] == ["pay.undo", "hold.undo"]
    assert desk.written() == ["all.undone"]


def test_what_a_dead_holder_may_have_begun_is_undone_as_well(desk):
    desk.plan["send.do"] = [SystemExit()]
    run = desk.begin()
    with pytest.raises(SystemExit):
        desk.go(run)
    desk.plan["ask.do"] = [ZeroDivisionError()]
    shift_clock("orders", "21 seconds")
    run = desk.go_on(run)
    assert (run.state, desk.row(run).step) == ("needs_attention", 0)

    attention.compensate(run.id, None, using="orders")

    assert resume(desk, run).state == "compensated"
    assert desk.done(run)[-2:] == ["pay.undo", "hold.undo"]


def test_what_failed_while_it_was_undone_is_undone_further_by_both(desk):
    for way in (attention.retry, attention.compensate):
        desk.plan["pay.do"], desk.plan["pay.undo"] = [Refused("no")], [ZeroDivisionError()]
        run = desk.go(desk.begin())
        assert run.state == "needs_attention"

        way(run.id, None, using="orders")

        row = resume(desk, run)
        assert (row.state, row.refusal["code"]) == ("compensated", "refused")


def test_what_was_unknown_is_inquired_about_and_not_done_anew(desk):
    desk.plan["pay.do"] = [Unknown()]
    desk.plan["pay.inquire"] = [*[Unknown()] * 4, None]
    run = desk.go(desk.begin())
    shift_clock("orders", "2 hours")
    for _ in range(4):
        run = desk.go_on(run)
    assert run.state == "needs_attention"

    attention.retry(run.id, None, using="orders")

    assert resume(desk, run).state == "completed"
    assert desk.tries().count("pay.do") == 1


def test_said_twice_it_goes_on_once(desk, stuck):
    attention.retry(stuck.id, None, using="orders")

    for way in (attention.retry, attention.compensate):
        with pytest.raises(NotStuck):
            way(stuck.id, None, using="orders")
        with pytest.raises(NotStuck):
            way(uuid4(), None, using="orders")


def test_whoever_held_it_when_it_stopped_can_change_nothing_any_more(desk, stuck):
    attention.retry(stuck.id, None, using="orders")

    with pytest.raises(LeaseLost):
        store.save(stuck, using="orders")


def test_a_process_that_only_goes_forward_cannot_be_undone_unless_it_may_be_given_up(desk):
    desk.plan["send.do"] = [Refused(), Refused()]
    endless, errand = desk.go(desk.begin(Endless)), desk.go(desk.begin(Errand))

    with pytest.raises(NothingToUndo):
        attention.compensate(endless.id, decision(), using="orders")
    attention.compensate(errand.id, decision(), using="orders")

    assert desk.row(endless).state == "needs_attention"
    assert resume(desk, errand).state == "compensated"
    assert AuditEntry.objects.using("orders").count() == 1


# --- Who is told ----------------------------------------------------------------------------------------------------


def test_the_command_lists_it_shows_all_that_was_tried_and_fails_as_long_as_there_is_one(desk, stuck):
    out = StringIO()
    with pytest.raises(CommandError, match=r"^1 processes need attention\.$") as failed:
        call_command("sagas", "list", stdout=out)
    shown = command("show", str(stuck.subject))

    assert failed.value.returncode == 1
    (line,) = [line for line in out.getvalue().splitlines() if str(stuck.id) in line]
    assert line.split()[:6] == ["orders", "test.trip", "v1", str(stuck.id), str(stuck.subject), "needs_attention"]
    assert "ZeroDivisionError: oops" in line
    words = [line.split()[1:5] for line in shown.splitlines()]
    assert ["pay", "do", "succeeded", "1"] in words
    assert ["send", "do", "failed", "1"] in words
    with pytest.raises(CommandError, match="No process has the id"):
        command("show", str(uuid4()))


@pytest.mark.parametrize(("verb", "end"), [("retry", "completed"), ("compensate", "compensated")])
def test_the_command_has_it_go_on_and_refuses_what_is_not_stuck(desk, stuck, verb, end):
    desk.plan.clear()
    words = (verb, str(stuck.id), "--domain", "orders", "--reason", "It is mended.")

    assert command(*words).startswith(f"{stuck.id}  test.trip goes on: send ")
    with pytest.raises(CommandError, match="Nothing was done"):
        command(*words)

    assert resume(desk, stuck).state == end
    assert command("list") == "No process is under way or stuck.\n"
    (entry,) = AuditEntry.objects.using("orders").filter(object_id=str(stuck.id))
    assert (entry.reason, entry.operator) == ("It is mended.", UUID(int=0))


def test_the_figures_count_what_has_not_ended_by_definition_and_state(desk, stuck):
    desk.plan.clear()
    desk.go(desk.begin())
    desk.go(desk.begin(Endless), budget=0.0)

    counted = {
        (sample.labels["definition"], sample.labels["state"]): sample.value
        for family in SagaFigures().collect()
        for sample in family.samples
        if sample.name == "mitosis_sagas"
    }

    assert counted == {("test.trip", "needs_attention"): 1.0, ("test.endless", "running"): 1.0}


# --- Versions -------------------------------------------------------------------------------------------------------


def test_a_run_whose_definition_is_not_here_is_left_to_who_has_it(desk):
    run = desk.go(desk.begin(), budget=0.0)
    SagaRun.objects.using("orders").filter(pk=run.id).update(version=9)

    sweeper.resume(run.id, domain="orders")

    row = desk.row(run)
    assert (row.state, row.lease_until, desk.tries()) == ("running", None, [])
    assert row.due_at > row.updated_at
    assert [error.id for error in no_run_is_orphaned(None, databases=["orders"])] == ["saga.E001"]
    SagaRun.objects.using("orders").filter(pk=run.id).update(version=1)
    assert no_run_is_orphaned(None, databases=["orders"]) == []
    assert resume_after_a_while(desk, run).state == "completed"


def resume_after_a_while(desk, run):
    shift_clock("orders", "16 seconds")
    return resume(desk, run)
