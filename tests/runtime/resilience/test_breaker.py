"""Each change of a breaker's state, also where many threads come at once; nobody waits for anybody."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from contracts._base import Unavailable
from runtime.resilience import BreakerOpen, CalleePolicy, State, Verdict
from runtime.resilience.breaker import Breaker
from tests.runtime.resilience.clock import Clock

POLICY = CalleePolicy(failures=3, window_seconds=10.0, open_seconds=5.0)
WELL, ILL, UNSAID = Verdict.WELL, Verdict.ILL, Verdict.UNSAID


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[tuple[State, int]]:
    return []


@pytest.fixture
def breaker(clock, told) -> Breaker:
    return Breaker(
        name="depot",
        policy=lambda: POLICY,
        clock=clock,
        tell=lambda standing: told.append((standing.state, standing.failures)),
    )


def passes(breaker: Breaker, verdict: Verdict) -> None:
    breaker.leave(breaker.enter(), verdict)


def opened(breaker: Breaker) -> Breaker:
    for _ in range(POLICY.failures):
        passes(breaker, ILL)
    assert breaker.standing.state is State.OPEN
    return breaker


def refused(breaker: Breaker) -> BreakerOpen:
    with pytest.raises(BreakerOpen) as raised:
        breaker.enter()
    return raised.value


def at_once(count: int, work: Callable[[], object]) -> list[object]:
    """What each of so many threads came to, all begun together; an exception is what it came to as well."""
    begin, found = threading.Barrier(count), []

    def run() -> None:
        begin.wait(20)
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == count
    return found


# --- Closed ---------------------------------------------------------------------------------------------------------


def test_it_opens_at_the_third_failure_and_not_before(breaker, told):
    passes(breaker, ILL)
    passes(breaker, ILL)
    assert breaker.standing.state is State.CLOSED

    passes(breaker, ILL)

    assert breaker.standing.state is State.OPEN
    assert told == [(State.CLOSED, 0), (State.CLOSED, 1), (State.CLOSED, 2), (State.OPEN, 3)]


def test_an_answer_in_between_starts_the_count_anew(breaker):
    for _ in range(10):
        passes(breaker, ILL)
        passes(breaker, ILL)
        passes(breaker, WELL)

    assert (breaker.standing.state, breaker.standing.failures) == (State.CLOSED, 0)


def test_failures_that_are_older_than_the_window_do_not_count(breaker, clock):
    passes(breaker, ILL)
    passes(breaker, ILL)
    clock.now += 10.1

    passes(breaker, ILL)
    assert (breaker.standing.state, breaker.standing.failures) == (State.CLOSED, 1)
    passes(breaker, ILL)
    passes(breaker, ILL)

    assert breaker.standing.state is State.OPEN


def test_a_try_that_has_shown_nothing_neither_counts_nor_clears(breaker):
    passes(breaker, ILL)
    passes(breaker, UNSAID)
    passes(breaker, ILL)
    passes(breaker, UNSAID)
    assert (breaker.standing.state, breaker.standing.failures) == (State.CLOSED, 2)

    passes(breaker, ILL)

    assert breaker.standing.state is State.OPEN


def test_fifty_threads_that_fail_together_open_it_once(breaker, told):
    at_once(50, lambda: passes(breaker, ILL))

    assert breaker.standing.state is State.OPEN
    assert [state for state, _ in told].count(State.OPEN) == 1


# --- Open -----------------------------------------------------------------------------------------------------------


def test_an_open_one_refuses_at_once_and_says_when_to_come_again_and_that_nothing_ran(breaker, clock):
    opened(breaker)
    clock.now += 1.5

    error = refused(breaker)

    assert isinstance(error, Unavailable)
    assert (error.code, error.may_have_run, error.data) == ("breaker_open", False, {"retry_after": 3.5})
    assert error.detail == "depot has failed again and again and is left alone for a moment"


def test_an_answer_to_what_was_asked_before_it_opened_changes_nothing(breaker, clock):
    early = breaker.enter(), breaker.enter()
    opened(breaker)

    breaker.leave(early[0], WELL)
    assert breaker.standing.state is State.OPEN
    clock.now += 5.0
    probe = breaker.enter()
    breaker.leave(early[1], ILL)

    assert breaker.standing.state is State.HALF_OPEN
    refused(breaker)
    breaker.leave(probe, WELL)
    assert breaker.standing.state is State.CLOSED


# --- Half open ------------------------------------------------------------------------------------------------------


def test_of_many_threads_that_come_when_it_may_be_asked_again_one_gets_through(breaker, clock):
    opened(breaker)
    clock.now += 5.0

    found = at_once(30, breaker.enter)

    through = [one for one in found if not isinstance(one, BreakerOpen)]
    assert len(through) == 1
    assert breaker.standing.state is State.HALF_OPEN
    assert {error.data["retry_after"] for error in found if isinstance(error, BreakerOpen)} == {1.0}
    assert {error.may_have_run for error in found if isinstance(error, BreakerOpen)} == {False}


def test_while_one_asks_the_others_are_refused_however_long_it_takes_and_wait_for_nobody(breaker, clock):
    opened(breaker)
    clock.now += 5.0
    probe = breaker.enter()

    clock.now += 60.0
    assert all(isinstance(one, BreakerOpen) for one in at_once(20, breaker.enter))
    breaker.leave(probe, WELL)

    assert breaker.standing.state is State.CLOSED
    assert not any(isinstance(one, BreakerOpen) for one in at_once(20, breaker.enter))


def test_a_probe_that_fails_opens_it_for_the_whole_time_again(breaker, clock, told):
    opened(breaker)
    clock.now += 5.0
    passes(breaker, ILL)

    assert breaker.standing.state is State.OPEN
    clock.now += 4.9
    assert refused(breaker).data == {"retry_after": 0.1}
    clock.now += 0.1
    passes(breaker, WELL)

    assert [state for state, _ in told[3:]] == [State.OPEN, State.HALF_OPEN, State.OPEN, State.HALF_OPEN, State.CLOSED]
    assert breaker.standing.failures == 0


def test_after_a_probe_that_has_shown_nothing_the_next_one_asks(breaker, clock):
    opened(breaker)
    clock.now += 5.0

    passes(breaker, UNSAID)
    probe = breaker.enter()

    refused(breaker)
    breaker.leave(probe, WELL)
    assert breaker.standing.state is State.CLOSED


def test_closed_again_it_needs_all_the_failures_anew(breaker, clock):
    opened(breaker)
    clock.now += 5.0
    passes(breaker, WELL)

    passes(breaker, ILL)
    passes(breaker, ILL)
    assert breaker.standing.state is State.CLOSED
    passes(breaker, ILL)

    assert breaker.standing.state is State.OPEN
