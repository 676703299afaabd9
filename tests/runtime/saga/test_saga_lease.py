"""One holder at a time: who sleeps past the lease has lost it, and what he does then has no effect here."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.db import connections, transaction

from contracts._base import Superseded, Unavailable
from runtime.databases.clock import Now
from runtime.saga import store, sweeper
from runtime.saga.models import SagaRun
from runtime.saga.run import LeaseLost
from tests.runtime.saga.small_sagas import Endless, Trip
from tests.together import kinds, shift_clock, together


@pytest.fixture(autouse=True)
def clock_back():
    yield
    connections.close_all()


def claim(run):
    return store.claim(run.id, using="orders")


# --- One holder -----------------------------------------------------------------------------------------------------


def test_while_one_holds_it_nobody_else_gets_it_and_after_the_lease_somebody_does(desk):
    run = desk.begin()

    assert claim(run) is None
    shift_clock("orders", "19 seconds")
    assert claim(run) is None
    shift_clock("orders", "21 seconds")
    second = claim(run)
    assert (second.epoch, second.state, second.step) == (2, "running", 0)
    assert claim(run) is None


def test_what_was_given_back_is_free_at_once(desk):
    desk.plan["ask.do"] = [Unavailable()]
    run = desk.go(desk.begin())

    assert claim(run).epoch == 2


def test_of_twenty_who_want_a_free_one_one_gets_it(desk):
    run = desk.go(desk.begin(), budget=0.0)

    answers = together(*[partial(claim, run)] * 20)

    assert kinds(answers) == ["NoneType"] * 19 + ["Run"]


def test_who_slept_past_the_lease_can_save_nothing_any_more(desk):
    asleep = desk.begin()
    shift_clock("orders", "21 seconds")
    awake = claim(asleep)
    asleep.step, asleep.data = 4, {"stale": True}

    with pytest.raises(LeaseLost, match=f"test.trip of {asleep.subject} is held by somebody else since epoch 1"):
        store.save(asleep, using="orders")

    row = desk.row(awake)
    assert (row.step, row.data, row.epoch) == (0, {"may_be_further": True}, 2)
    assert row.lease_until is not None


def test_what_a_sleeper_writes_in_his_own_domain_is_rolled_back_and_the_process_ends_once(desk):
    def sleep_while_another_takes_over_and_ends_it(run) -> None:
        def another() -> str:
            shift_clock("orders", "21 seconds")
            return desk.go(claim(run)).state

        taken_over.extend(together(another))

    taken_over: list[str] = []
    desk.plan["send.do"] = [sleep_while_another_takes_over_and_ends_it]
    asleep = desk.begin()

    with pytest.raises(LeaseLost):
        desk.go(asleep)

    assert taken_over == ["completed"]
    assert desk.row(asleep).state == "completed"
    assert desk.written() == ["book.do"]
    assert desk.tries().count("book.do") == 2, "the sleeper wrote as well: the lease is what took it back"
    assert sorted(desk.done(asleep)) == ["ask.do", "hold.do", "pay.do", "send.do"]


def test_a_sleeper_does_not_overwrite_what_his_follower_is_at(desk):
    def fall_asleep(run) -> None:
        def another() -> None:
            shift_clock("orders", "21 seconds")
            desk.plan["pay.do"] = [Unavailable("later")]
            desk.go(claim(run))

        together(another)

    desk.plan["hold.do"] = [fall_asleep]
    desk.plan["send.do"] = [Unavailable("the sleeper got this far")]
    with pytest.raises(LeaseLost):
        desk.go(desk.begin())

    (row,) = SagaRun.objects.using("orders").all()
    assert (row.step, row.error, row.epoch) == (2, "later", 2)


# --- One run for each subject ---------------------------------------------------------------------------------------


def test_of_twenty_starts_at_once_one_begins(desk):
    subject = uuid4()

    def begin():
        with transaction.atomic(using="orders"):
            return store.start(Trip, subject=subject, data={})

    answers = together(*[begin] * 20)

    assert kinds(answers) == ["NoneType"] * 19 + ["Run"]
    assert SagaRun.objects.using("orders").count() == 1


def test_another_process_of_the_same_subject_is_another_run(desk):
    run = desk.begin(Trip)
    desk.begin(Endless, subject=run.subject)

    assert SagaRun.objects.using("orders").filter(subject=run.subject).count() == 2


def test_a_start_that_is_rolled_back_never_was(desk):
    def begin_and_fail() -> None:
        with transaction.atomic(using="orders"):
            store.start(Trip, subject=uuid4(), data={})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        begin_and_fail()

    assert not SagaRun.objects.using("orders").exists()


# --- Found again ----------------------------------------------------------------------------------------------------


def sweep(**more) -> list:
    nudged: list = []
    sweeper.sweep(domain="orders", nudge=lambda run_id, epoch: nudged.append(run_id), **more)
    return nudged


def test_what_is_held_is_not_swept_and_what_is_free_and_due_is(desk):
    held = desk.begin()
    free = desk.go(desk.begin(), budget=0.0)
    desk.plan["ask.do"] = [Unavailable()]
    parked = desk.go(desk.begin())
    SagaRun.objects.using("orders").filter(pk=parked.id).update(due_at=Now() + timedelta(seconds=15))

    assert sweep() == [free.id]

    shift_clock("orders", "21 seconds")
    assert sorted(sweep()) == sorted([held.id, free.id, parked.id])


def test_a_nudge_is_repeated_only_after_a_while(desk):
    run = desk.go(desk.begin(), budget=0.0)

    assert sweep() == [run.id]
    assert sweep() == []
    shift_clock("orders", "6 seconds")
    assert sweep() == [run.id]


def test_a_nudge_that_waited_while_somebody_went_on_is_nothing_any_more(desk):
    desk.plan["ask.do"] = [Unavailable()] * 2
    run = desk.go(desk.begin())
    SagaRun.objects.using("orders").filter(pk=run.id).update(due_at=Now())
    (due,) = store.take_due(using="orders", limit=10, nudge_again=store.LEASE)
    assert due == (run.id, 1)

    for _ in range(3):
        sweeper.resume(run.id, domain="orders", after=1)

    assert desk.tries() == ["ask.do", "ask.do"]
    assert (desk.row(run).epoch, desk.row(run).attempts) == (2, 2)


def test_many_sweepers_nudge_each_run_once(desk):
    runs = [desk.go(desk.begin(), budget=0.0).id for _ in range(15)]

    answers = together(*[sweep] * 5)

    nudged = [run_id for answer in answers for run_id in answer]
    assert sorted(nudged) == sorted(runs)


def test_a_full_sweep_says_that_there_may_be_more_and_what_waits_longest_goes_first(desk):
    runs = [desk.go(desk.begin(), budget=0.0) for _ in range(3)]
    for age, run in enumerate(runs):
        due = Now() - timedelta(seconds=age + 1)
        SagaRun.objects.using("orders").filter(pk=run.id).update(due_at=due)

    nudged: list = []
    assert sweeper.sweep(domain="orders", nudge=lambda run_id, epoch: nudged.append(run_id), limit=2) is True
    assert set(nudged) == {runs[2].id, runs[1].id}
    assert sweeper.sweep(domain="orders", nudge=lambda run_id, epoch: nudged.append(run_id), limit=2) is False
    assert nudged[2:] == [runs[0].id]


def test_a_worker_goes_on_with_what_is_free_and_leaves_what_is_held(desk):
    free, held = desk.go(desk.begin(), budget=0.0), desk.begin()

    sweeper.resume(free.id, domain="orders")
    sweeper.resume(held.id, domain="orders")
    sweeper.resume(uuid4(), domain="orders")

    assert (desk.row(free).state, desk.row(held).state, desk.row(held).epoch) == ("completed", "running", 1)


def test_two_nudges_at_once_run_the_process_once(desk):
    run = desk.go(desk.begin(), budget=0.0)

    assert together(*[partial(sweeper.resume, run.id, domain="orders")] * 5) == [None] * 5

    assert desk.row(run).state == "completed"
    assert desk.tries() == ["ask.do", "hold.do", "pay.do", "send.do", "book.do"]


def test_a_worker_that_lost_its_lease_says_so_and_goes_on_with_other_work(desk, caplog):
    run = desk.go(desk.begin(), budget=0.0)
    desk.plan["ask.do"] = [lambda run: _take_away(run)]

    sweeper.resume(run.id, domain="orders")

    assert "is held by somebody else" in caplog.text
    assert desk.row(run).state == "running"


def _take_away(run) -> None:
    SagaRun.objects.using("orders").filter(pk=run.id).update(epoch=run.epoch + 1)


# --- Participants ---------------------------------------------------------------------------------------------------


def test_a_sleeper_who_is_turned_away_by_whom_he_calls_stops_and_records_nothing(desk):
    desk.plan["hold.do"] = [Superseded()]
    run = desk.begin()

    with pytest.raises(LeaseLost, match="as hold says"):
        desk.go(run)

    row = desk.row(run)
    assert (row.state, row.step, row.log, row.error) == ("running", 0, [], None)
    assert desk.tries() == ["ask.do", "hold.do"]


def test_who_has_held_it_for_longer_than_the_lease_begins_no_step_more(desk):
    run = desk.begin()
    run.lease_until = run.read_at

    with pytest.raises(LeaseLost, match="its lease has run out"):
        desk.go(run)

    assert desk.tries() == []
