"""Forward: step by step, parked where a step cannot go on, and resumed under the same keys."""

from __future__ import annotations

import pytest
from django.db import connections, transaction
from django.db.utils import IntegrityError, OperationalError

from contracts._base import Unavailable
from runtime.calls import Lease, current_call
from runtime.databases.clock import database_time
from runtime.saga import store
from runtime.saga.definition import Unknown, Waiting
from runtime.saga.models import SagaRun
from tests import effects
from tests.runtime.saga.small_sagas import Endless, Trip
from tests.together import wait_until

ALL = ["ask.do", "hold.do", "pay.do", "send.do", "book.do"]


def seconds_until_due(row: SagaRun) -> float:
    return (row.due_at - database_time("orders")).total_seconds()


def test_a_process_without_trouble_does_each_step_once_and_ends_completed(desk):
    run = desk.begin(word="x")

    assert desk.go(run) is run

    row = desk.row(run)
    assert (run.state, row.state, row.step) == ("completed", "completed", 5)
    assert (row.lease_until, row.error, row.refusal, row.data) == (None, None, None, {"word": "x"})
    assert desk.tries() == ALL
    assert desk.done(run) == ALL[:4]
    assert desk.written() == ["book.do"]
    assert desk.log(run) == [(name.removesuffix(".do"), "do", "succeeded", 1) for name in ALL]


def test_a_process_that_ended_is_neither_claimed_nor_due_nor_unfinished(desk):
    run = desk.go(desk.begin())

    assert store.claim(run.id, using="orders") is None
    store.wake(Trip, subject=run.subject)
    assert store.take_due(using="orders", limit=10, nudge_again=store.LEASE) == []
    assert store.unfinished_subjects([run.subject], using="orders") == frozenset()
    assert desk.row(run).state == "completed"


def test_without_a_local_step_at_the_end_the_end_is_written_all_the_same(desk):
    run = desk.go(desk.begin(Endless))

    assert (desk.row(run).state, desk.row(run).lease_until) == ("completed", None)


def test_a_step_that_is_unavailable_parks_the_process_and_is_done_again_under_the_same_key(desk):
    keys = []
    desk.plan["hold.do"] = [lambda run: keys.append(run.key("hold")) or _raise(Unavailable("hold is away"))] * 2
    desk.plan["hold.do"].append(lambda run: keys.append(run.key("hold")))
    run = desk.go(desk.begin())

    row = desk.row(run)
    assert (row.state, row.step, row.attempts, row.inquiring, row.lease_until) == ("running", 1, 1, False, None)
    assert row.error == "hold is away"
    assert 0 < seconds_until_due(row) <= 0.5
    assert desk.tries() == ["ask.do", "hold.do"]

    run = desk.go_on(run)
    assert desk.row(run).attempts == 2
    run = desk.go_on(run)
    assert (run.state, desk.row(run).attempts, desk.row(run).error) == ("completed", 0, None)
    assert keys == [f"{run.subject}:hold"] * 3
    assert desk.tries() == ["ask.do", "hold.do", "hold.do", *ALL[1:]]
    assert desk.done(run) == ALL[:4]
    assert desk.log(run)[:3] == [
        ("ask", "do", "succeeded", 1),
        ("hold", "do", "unavailable", 2),
        ("hold", "do", "succeeded", 1),
    ]


def test_the_waits_between_tries_grow_and_never_exceed_fifteen_seconds(desk):
    desk.plan["ask.do"] = [Unavailable()] * 9
    run, waits = desk.begin(), []
    desk.go(run)
    for _ in range(8):
        waits.append(seconds_until_due(desk.row(run)))
        desk.go_on(run)

    assert waits[0] <= 0.5
    assert waits[4] > waits[0]
    assert max(waits) <= 15.0
    assert min(waits[6:]) > 7.0


@pytest.mark.parametrize("outage", [OperationalError("gone"), Unavailable("gone")])
def test_an_outage_of_any_kind_is_waited_for(desk, outage):
    desk.plan["ask.do"] = [outage]
    run = desk.go(desk.begin())

    assert desk.row(run).state == "running"
    assert desk.go_on(run).state == "completed"


def test_an_open_outcome_is_inquired_about_and_the_step_is_not_done_again(desk):
    desk.plan["pay.do"] = [Unknown(detail="no answer")]
    desk.plan["pay.inquire"] = [Unknown(detail="still none"), Unavailable(), None]
    run = desk.go(desk.begin())

    row = desk.row(run)
    assert (row.state, row.step, row.inquiring, row.attempts) == ("running", 2, True, 1)
    assert 0 < seconds_until_due(row) <= 0.5
    for _ in range(3):
        run = desk.go_on(run)

    assert run.state == "completed"
    assert desk.tries() == ["ask.do", "hold.do", "pay.do", *["pay.inquire"] * 3, "send.do", "book.do"]
    assert desk.row(run).inquiring is False
    assert ("pay", "do", "unknown", 2) in desk.log(run)


def test_a_step_that_cannot_be_inquired_about_is_done_again(desk):
    desk.plan["hold.do"] = [Unknown()]
    run = desk.go_on(desk.go(desk.begin()))

    assert run.state == "completed"
    assert desk.tries().count("hold.do") == 2
    assert desk.done(run).count("hold.do") == 1


@pytest.mark.parametrize(("look_again", "wait"), [(5.0, 5.0), (3600.0, 15.0)])
def test_a_step_that_waits_parks_the_process_until_it_is_woken_or_it_is_time_to_look(desk, look_again, wait):
    desk.plan["pay.do"] = [Waiting(look_again=look_again)]
    run = desk.go(desk.begin())

    row = desk.row(run)
    assert (row.state, row.inquiring, row.attempts, row.lease_until) == ("running", True, 0, None)
    assert wait - 2 < seconds_until_due(row) <= wait
    assert store.take_due(using="orders", limit=10, nudge_again=store.LEASE) == []

    store.wake(Trip, subject=run.subject)

    assert store.take_due(using="orders", limit=10, nudge_again=store.LEASE) == [(run.id, 1)]
    assert desk.go_on(run).state == "completed"
    assert desk.tries().count("pay.do") == desk.tries().count("pay.inquire") == 1


def test_waking_whom_nobody_knows_and_another_process_of_the_same_subject_does_nothing(desk):
    desk.plan["pay.do"] = [Waiting()]
    run = desk.go(desk.begin())
    due = desk.row(run).due_at

    store.wake(Endless, subject=run.subject)

    assert desk.row(run).due_at == due


def test_with_no_budget_nothing_is_done_and_a_worker_may_go_on_at_once(desk):
    run = desk.go(desk.begin(), budget=0.0)

    row = desk.row(run)
    assert (row.state, row.step, row.lease_until) == ("running", 0, None)
    assert seconds_until_due(row) <= 0
    assert desk.tries() == []
    assert desk.go_on(run).state == "completed"


def test_when_the_budget_is_spent_what_was_done_is_written_down_and_not_done_again(desk):
    desk.plan["hold.do"] = [lambda run: wait_until(lambda: current_call().remaining() == 0.0)]
    run = desk.go(desk.begin(), budget=0.2)

    assert (desk.row(run).step, desk.row(run).lease_until) == (2, None)
    assert desk.go_on(run).state == "completed"
    assert desk.tries() == ALL


def test_steps_run_under_the_epoch_of_their_holders_lease(desk):
    leases = []
    desk.plan["ask.do"] = [lambda run: leases.append(current_call().lease) or _raise(Unavailable())]
    desk.plan["hold.do"] = [lambda run: leases.append(current_call().lease)]
    run = desk.go_on(desk.go(desk.begin()))

    assert leases == [Lease(id=run.id, epoch=1), Lease(id=run.id, epoch=2)]


def test_what_a_step_notes_in_its_data_is_there_after_it_was_parked(desk):
    desk.plan["ask.do"] = [lambda run: run.data.update(found="it")]
    desk.plan["hold.do"] = [Unavailable()]
    run = desk.go(desk.begin(word="x"))
    seen = []
    desk.plan["send.do"] = [lambda run: seen.append(dict(run.data))]

    desk.go_on(run)

    assert seen == [{"word": "x", "found": "it"}]


# --- The local step -------------------------------------------------------------------------------------------------


def test_a_local_step_whose_connection_dies_before_the_commit_leaves_nothing_and_is_done_again(desk):
    def write_and_lose_the_connection(run) -> None:
        effects.leave("orders", "half")
        with connections["orders"].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    desk.plan["book.do"] = [write_and_lose_the_connection]
    run = desk.go(desk.begin())

    assert (desk.row(run).state, desk.row(run).step) == ("running", 4)
    assert desk.written() == []
    assert desk.go_on(run).state == "completed"
    assert desk.written() == ["book.do"]


def test_the_effect_of_a_local_step_and_the_end_of_the_process_are_one_transaction(desk):
    inside, after_commit = [], []

    def look(run) -> None:
        inside.append(desk.row(run).state)
        transaction.on_commit(lambda: after_commit.append(desk.row(run).state), using="orders")

    desk.plan["book.do"] = [look]
    run = desk.go(desk.begin())

    assert inside == ["running"]
    assert after_commit == ["completed"]
    assert run.state == "completed"


def test_a_broken_rule_in_a_local_step_is_a_bug_and_leaves_nothing(desk):
    def break_a_rule(run) -> None:
        effects.leave("orders", "half")
        raise IntegrityError("a rule")

    desk.plan["book.do"] = [break_a_rule]
    run = desk.go(desk.begin())

    assert (run.state, desk.written()) == ("needs_attention", [])


def _raise(error: Exception) -> None:
    raise error
