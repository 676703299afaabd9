"""Tries again never are more than their share of calls, in whatever order calls and failures come."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from runtime.resilience import CalleePolicy
from runtime.resilience.budget import RetryBudget

STEPS = st.lists(st.sampled_from(["call", "try again"]), max_size=400)


@given(steps=STEPS, percent=st.integers(0, 100), saved=st.integers(1, 20))
def test_tries_again_are_at_most_their_share_of_the_calls_before_them(steps, percent, saved):
    policy = CalleePolicy(retry_percent=percent, saved_retries=saved)
    budget = RetryBudget(lambda: policy)
    calls = again = 0
    for step in steps:
        if step == "call":
            budget.called()
            calls += 1
        else:
            again += budget.take()
        assert again * 100 <= calls * percent


@given(steps=STEPS, percent=st.integers(0, 100))
def test_whatever_was_paid_for_and_still_fits_is_granted(steps, percent):
    policy = CalleePolicy(retry_percent=percent, saved_retries=1000)
    budget = RetryBudget(lambda: policy)
    calls = again = 0
    for step in steps:
        if step == "call":
            budget.called()
            calls += 1
        else:
            granted = budget.take()
            assert granted == ((again + 1) * 100 <= calls * percent)
            again += granted


@given(quiet=st.integers(0, 2000), flood=st.integers(1, 500), saved=st.integers(1, 20))
def test_in_a_flood_there_are_at_most_the_share_of_it_and_what_was_saved(quiet, flood, saved):
    policy = CalleePolicy(retry_percent=20, saved_retries=saved)
    budget = RetryBudget(lambda: policy)
    for _ in range(quiet):
        budget.called()

    again = 0
    for _ in range(flood):
        budget.called()
        again += budget.take()

    assert again * 100 <= flood * 20 + saved * 100


def test_exactly_every_fifth_call_pays_for_one_try_more():
    policy = CalleePolicy(retry_percent=20)
    budget = RetryBudget(lambda: policy)

    taken = []
    for _ in range(20):
        budget.called()
        taken.append(budget.take())

    assert taken == [False, False, False, False, True] * 4


def test_a_policy_that_changes_is_followed_at_once():
    policy = CalleePolicy(retry_percent=0)
    budget = RetryBudget(lambda: policy)
    budget.called()
    assert not budget.take()

    policy = CalleePolicy(retry_percent=100)
    budget.called()

    assert budget.take()


def test_threads_together_take_no_more_than_was_paid_for():
    policy = CalleePolicy(retry_percent=20, saved_retries=1000)
    budget, begin, taken = RetryBudget(lambda: policy), threading.Barrier(8), []

    def work() -> None:
        begin.wait(20)
        for _ in range(500):
            budget.called()
        taken.append(sum(budget.take() for _ in range(500)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sum(taken) + sum(budget.take() for _ in range(1000)) == 8 * 500 // 5
