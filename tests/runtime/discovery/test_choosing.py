"""Among several instances the choice is balanced, and one that cannot be reached is left alone for a while."""

from __future__ import annotations

import random
from collections import Counter

from runtime.discovery.choosing import FIRST_ASIDE, LONGEST_ASIDE, Choice
from runtime.discovery.instances import Instance
from tests.together import together

A, B, C = (Instance("depot", f"http://10.0.0.{number}:8001") for number in (1, 2, 3))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def among(*instances: Instance, seed: int = 1) -> tuple[Choice, Clock]:
    clock = Clock()
    choice = Choice(clock=clock, randomness=random.Random(seed))
    assert choice.update(instances)
    return choice, clock


def ask(choice: Choice, *, ok: bool | None = True) -> Instance:
    chosen = choice.choose()
    assert chosen is not None
    choice.told(chosen, ok=ok)
    return chosen


def test_where_nobody_is_known_nobody_is_chosen():
    assert Choice().choose() is None


def test_one_request_after_another_is_spread_evenly():
    choice, _ = among(A, B, C)

    counts = Counter(ask(choice) for _ in range(9000))

    # Binomial with n = 9000 and p = 1/3: five standard deviations are 224.
    assert all(abs(counts[each] - 3000) < 224 for each in (A, B, C))


def test_requests_at_the_same_time_differ_by_one_at_most():
    choice, _ = among(A, B, C)

    def hold(number: int) -> list[Instance | None]:
        return [choice.choose() for _ in range(100)]

    counts = Counter(each for held in together(*(lambda n=n: hold(n) for n in range(8))) for each in held)

    assert sum(counts.values()) == 800
    assert max(counts.values()) - min(counts.values()) <= 1


def test_whoever_is_slow_is_asked_less():
    choice, _ = among(A, B)
    busy = choice.choose()

    assert {ask(choice) for _ in range(100)} == {A, B} - {busy}


def test_one_that_cannot_be_reached_is_not_asked_twice():
    choice, _ = among(A, B)
    first = ask(choice, ok=False)

    assert {ask(choice) for _ in range(200)} == {A, B} - {first}


def test_whoever_is_back_is_tried_by_one_request_and_then_trusted():
    choice, clock = among(A, B)
    gone = ask(choice, ok=False)
    clock.now += FIRST_ASIDE

    seen = [choice.choose() for _ in range(20)]

    assert seen.count(gone) == 1
    for each in seen:
        assert each is not None
        choice.told(each, ok=True)
    assert {choice.choose(), choice.choose()} == {A, B}


def test_the_time_grows_with_each_failure_up_to_a_limit_and_begins_anew_after_a_success():
    choice, clock = among(A, B)

    def fail() -> float:
        """How long it is set aside for now, in seconds."""
        while (chosen := choice.choose()) != A:
            assert chosen is not None
        choice.told(A, ok=False)
        began = clock.now
        while A not in {choice.choose() for _ in range(50)}:
            clock.now += 0.5
        choice.told(A, ok=None)
        return clock.now - began

    def fresh() -> None:
        nonlocal choice
        for _ in range(10_000):
            choice.told(B, ok=True)

    times = []
    for _ in range(6):
        fresh()
        times.append(fail())
    assert times == [1.0, 2.0, 4.0, 8.0, LONGEST_ASIDE, LONGEST_ASIDE]

    choice.told(A, ok=True)
    fresh()
    assert fail() == FIRST_ASIDE


def test_requests_that_fail_together_are_one_failure():
    choice, clock = among(A)
    for _ in range(8):
        assert choice.choose() == A
    for _ in range(8):
        choice.told(A, ok=False)
    choice.update([A, B])
    clock.now += FIRST_ASIDE

    assert A in {choice.choose() for _ in range(20)}


def test_where_all_are_set_aside_the_one_that_has_been_for_longest_is_tried():
    choice, clock = among(A, B, C)

    def fail() -> Instance:
        clock.now += 0.01
        return ask(choice, ok=False)

    order = [fail() for _ in range(3)]

    assert set(order) == {A, B, C}
    assert [fail() for _ in range(6)] == order * 2


def test_whoever_was_asked_already_is_followed_only_by_somebody_who_may_be_well():
    choice, _ = among(A, B, C)
    first = ask(choice, ok=False)
    second = choice.choose(besides=[first])
    assert second is not None
    assert second != first
    choice.told(second, ok=False)
    third = choice.choose(besides=[first, second])
    assert {first, second, third} == {A, B, C}
    assert third is not None
    choice.told(third, ok=False)

    assert choice.choose(besides=[third]) is None


def test_what_cannot_be_said_changes_nothing():
    choice, _ = among(A, B)
    gone = ask(choice, ok=False)
    choice.update([gone])
    assert ask(choice, ok=None) == gone

    assert choice.set_aside() == 1


def test_whoever_stays_keeps_its_standing_and_whoever_goes_is_forgotten():
    choice, _ = among(A, B)
    gone = ask(choice, ok=False)
    other = B if gone == A else A

    assert choice.update([A, B, C]) is True
    assert choice.update([C, B, A]) is False
    assert gone not in {ask(choice) for _ in range(100)}
    assert choice.update([other, C]) is True
    assert choice.update([A, B, C]) is True

    assert {ask(choice) for _ in range(100)} == {A, B, C}
    choice.told(Instance("depot", "http://10.0.0.9:1"), ok=False)
    assert choice.set_aside() == 0
