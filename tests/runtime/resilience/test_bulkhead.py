"""So many may wait for one neighbour at a time; the next is told at once, and every place is given back."""

from __future__ import annotations

import threading

import pytest

from contracts._base import Unavailable
from runtime.resilience import Bulkhead
from runtime.resilience.bulkhead import BulkheadFull


def test_the_caller_beyond_the_last_place_is_refused_at_once_and_knows_that_nothing_ran():
    bulkhead = Bulkhead(name="the provider", places=2)

    with bulkhead, bulkhead, pytest.raises(BulkheadFull, match="2 calls are waiting for the provider already") as full:
        bulkhead.__enter__()

    assert isinstance(full.value, Unavailable)
    assert (full.value.may_have_run, full.value.code) == (False, "bulkhead_full")


def test_a_place_is_given_back_also_by_whom_failed_and_not_by_whom_was_refused():
    bulkhead = Bulkhead(name="x", places=1)

    def refused_twice_then_fail() -> None:
        for _ in range(2):
            with pytest.raises(BulkheadFull), bulkhead:
                pass
        raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError), bulkhead:
            refused_twice_then_fail()

    with bulkhead:
        pass


def test_of_ten_callers_at_once_three_get_in_and_seven_are_refused_while_those_wait():
    bulkhead, go, outcomes = Bulkhead(name="x", places=3), threading.Event(), []
    refused = threading.Semaphore(0)

    def ask() -> None:
        try:
            with bulkhead:
                assert go.wait(20)
                outcomes.append("in")
        except BulkheadFull:
            outcomes.append("refused")
            refused.release()

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for _ in range(7):
        assert refused.acquire(timeout=20)
    assert outcomes == ["refused"] * 7
    go.set()
    for thread in threads:
        thread.join(20)

    assert sorted(outcomes) == ["in"] * 3 + ["refused"] * 7


def test_a_place_that_is_given_back_within_the_wait_is_taken_and_nobody_waits_beyond_it():
    bulkhead, entered = Bulkhead(name="x", places=1, wait=1.0), threading.Event()

    def hold() -> None:
        with bulkhead:
            entered.set()

    with Bulkhead(name="y", places=1, wait=0.01) as other, pytest.raises(BulkheadFull):
        other.__enter__()
    with bulkhead:
        waiting = threading.Thread(target=hold)
        waiting.start()
        assert not entered.is_set()
    waiting.join(20)

    assert entered.is_set()


@pytest.mark.parametrize("wait", [-0.1, 1.1, float("nan")])
def test_a_bulkhead_that_would_hold_its_callers_up_is_refused(wait):
    with pytest.raises(ValueError, match=rf"bulkhead 'x' waits {wait} s: it is from 0 to 1"):
        Bulkhead(name="x", places=1, wait=wait)


@pytest.mark.parametrize("places", [0, -1])
def test_a_bulkhead_without_a_place_is_refused(places):
    with pytest.raises(ValueError, match=rf"bulkhead 'x' has {places} places: it needs at least one"):
        Bulkhead(name="x", places=places)
