"""Tries: only where asking twice does nothing twice, only after an outage, never past the deadline, never unpaid."""

from __future__ import annotations

import pytest

from contracts._base import DeadlineExceeded, Rejected, Unavailable
from runtime.resilience import BreakerOpen, BulkheadFull, CalleePolicy, Guard, MethodPolicy, State, Verdict
from tests.runtime.resilience.clock import Clock

PATIENT = {"failures": 1000, "retry_percent": 100}
EVERY = MethodPolicy(seconds=2.0, tries=3, pause_seconds=0.1, longest_pause_seconds=0.15)


class Crashed(RuntimeError):
    """The neighbour has a bug."""


def judged(error: Exception) -> Verdict:
    if isinstance(error, DeadlineExceeded):
        return Verdict.UNSAID
    return Verdict.ILL if isinstance(error, Unavailable | Crashed) else Verdict.WELL


def away(*, may_have_run: bool = True) -> Unavailable:
    error = Unavailable("away")
    error.may_have_run = may_have_run
    return error


class Asked:
    """A neighbour that does these things in turn, each after so many seconds, and its guard."""

    def __init__(self, *deeds: object, takes: float = 0.0, saved: int = 10, **policy: object) -> None:
        self.clock = Clock()
        self.deeds = list(deeds)
        self.given: list[float] = []
        self._takes = takes
        known = CalleePolicy(every=EVERY, **{**PATIENT, **policy})  # type: ignore[arg-type]
        self.guard = Guard(
            name="depot",
            policy=lambda: known,
            judge=judged,
            clock=self.clock,
            sleep=self.clock.sleep,
            chance=lambda: 1.0,
        )
        for _ in range(saved):
            self.guard._budget.called()

    def once(self, seconds: float) -> object:
        self.given.append(seconds)
        self.clock.now += min(self._takes, seconds)
        deed = self.deeds.pop(0)
        if isinstance(deed, Exception):
            raise deed
        return deed

    def ask(self, method: str = "act", *, keyed: bool = True, deadline: float | None = None) -> object:
        until = None if deadline is None else self.clock.now + deadline
        return self.guard.ask(
            method, self.once, keyed=keyed, left=lambda: None if until is None else max(0.0, until - self.clock.now)
        )


def test_with_a_key_it_is_tried_again_after_an_outage_with_pauses_that_grow_up_to_the_longest():
    there = Asked(away(), away(), "answer")

    assert there.ask() == "answer"
    assert there.given == [2.0, 2.0, 2.0]
    assert there.clock.slept == [0.1, 0.15]


def test_a_pause_is_any_part_of_what_it_may_be():
    there = Asked(away(), "answer")
    there.guard._chance = lambda: 0.25

    there.ask()

    assert there.clock.slept == [0.025]


def test_a_method_that_neither_has_a_key_nor_is_declared_a_read_is_asked_once():
    there = Asked(away(may_have_run=False), "never")

    with pytest.raises(Unavailable):
        there.ask(keyed=False)

    assert there.deeds == ["never"]


def test_a_declared_read_is_tried_again_without_a_key():
    there = Asked(away(), "answer", methods={"look": MethodPolicy(reads=True)})

    assert there.ask("look", keyed=False) == "answer"


@pytest.mark.parametrize("error", [Rejected("no"), Crashed(), DeadlineExceeded()])
def test_after_anything_but_an_outage_nothing_is_tried_again(error):
    there = Asked(error, "never")

    with pytest.raises(type(error)):
        there.ask()

    assert there.deeds == ["never"]


def test_what_comes_out_in_the_end_may_have_run_if_one_of_the_tries_may():
    there = Asked(away(may_have_run=True), away(may_have_run=False), away(may_have_run=False))

    with pytest.raises(Unavailable) as raised:
        there.ask()

    assert raised.value.may_have_run is True
    there = Asked(away(may_have_run=False), away(may_have_run=False), away(may_have_run=False))
    with pytest.raises(Unavailable) as raised:
        there.ask()
    assert raised.value.may_have_run is False


def test_a_try_gets_what_is_left_of_the_callers_time_and_none_begins_after_it():
    there = Asked(away(), away(), takes=2.0)

    with pytest.raises(Unavailable) as raised:
        there.ask(deadline=3.0)

    assert there.given == [2.0, pytest.approx(0.9)]
    assert there.clock.slept == [0.1]
    assert type(raised.value) is Unavailable


def test_a_pause_that_would_outlast_the_callers_time_is_not_begun():
    there = Asked(away(), "never", takes=2.0)

    with pytest.raises(Unavailable):
        there.ask(deadline=2.05)

    assert there.clock.slept == []
    assert there.deeds == ["never"]


def test_without_any_time_left_nothing_is_asked():
    there = Asked("never")

    with pytest.raises(DeadlineExceeded) as raised:
        there.ask(deadline=0.0)

    assert raised.value.may_have_run is False
    assert there.given == []


def test_tries_that_are_not_paid_for_are_not_made():
    there = Asked(*[away() for _ in range(30)], saved=0, retry_percent=20)

    for _ in range(20):
        with pytest.raises(Unavailable):
            there.ask()

    assert len(there.given) == 24


def test_a_breaker_that_opens_between_two_tries_leaves_the_first_ones_news_as_it_was():
    there = Asked(away(), away(), "never", failures=2)

    with pytest.raises(Unavailable) as raised:
        there.ask()

    assert (type(raised.value), raised.value.may_have_run) == (Unavailable, True)
    with pytest.raises(BreakerOpen) as refused:
        there.ask()
    assert refused.value.may_have_run is False
    assert there.deeds == ["never"]


def test_no_and_a_bug_of_the_caller_are_signs_of_health_and_a_crash_is_not():
    there = Asked(*[Rejected("no") for _ in range(5)], ValueError(), Crashed(), Crashed(), failures=2)

    for _ in range(6):
        with pytest.raises((Rejected, ValueError)):
            there.ask()
    assert there.guard.standing.failures == 0
    for _ in range(2):
        with pytest.raises(Crashed):
            there.ask()

    assert there.guard.standing.state is State.OPEN


def test_whoever_has_too_little_time_for_an_answer_does_not_count_against_the_neighbour():
    there = Asked(*[away() for _ in range(9)], takes=10.0, failures=3, retry_percent=0)

    for _ in range(5):
        with pytest.raises(Unavailable):
            there.ask(deadline=0.4)
    assert (there.guard.standing.state, there.guard.standing.failures) == (State.CLOSED, 0)
    for _ in range(3):
        with pytest.raises(Unavailable):
            there.ask(deadline=0.6)

    assert there.guard.standing.state is State.OPEN


def test_a_refusal_that_comes_at_once_counts_however_little_time_there_was():
    there = Asked(*[away() for _ in range(3)], failures=3, retry_percent=0)

    for _ in range(3):
        with pytest.raises(Unavailable):
            there.ask(deadline=0.1)

    assert there.guard.standing.state is State.OPEN


def test_a_probe_that_is_interrupted_leaves_its_turn_to_the_next():
    there = Asked(away(), failures=1, retry_percent=0, open_seconds=5.0)
    with pytest.raises(Unavailable):
        there.ask()
    there.clock.now += 5.0

    def interrupted(seconds: float) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        there.guard.ask("act", interrupted, keyed=True, left=lambda: None)
    there.deeds = ["answer"]

    assert there.ask() == "answer"
    assert there.guard.standing.state is State.CLOSED


def test_a_place_is_held_through_all_tries_and_given_back_after_them():
    there = Asked(places=1)

    def nested(seconds: float) -> object:
        return there.guard.ask("act", there.once, keyed=True, left=lambda: None)

    for _ in range(3):
        with pytest.raises(BulkheadFull):
            there.guard.ask("act", nested, keyed=False, left=lambda: None)
    there.deeds = ["answer"]

    assert there.ask() == "answer"


@pytest.mark.parametrize(("takes", "state"), [(1.9, State.CLOSED), (2.0, State.OPEN)])
def test_one_that_waited_as_long_as_the_window_for_nothing_has_shown_enough(takes, state):
    there = Asked(away(), takes=takes, failures=5, window_seconds=2.0)

    with pytest.raises(Unavailable):
        there.ask(keyed=False)

    assert there.guard.standing.state is state
