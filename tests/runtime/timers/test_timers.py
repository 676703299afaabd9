"""Timers look again and again, whatever went wrong before, and end when they are told to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connections

from runtime import timers
from runtime.timers import Timer
from tests.together import wait_until


@contextmanager
def running(*which: Timer) -> Iterator[Callable[[], None]]:
    """The timers, running; ended by calling what this gives, or at the end."""
    stop = threading.Event()
    runner = threading.Thread(target=timers.run, args=(which,), kwargs={"stop": stop}, daemon=True)
    runner.start()

    def end() -> None:
        stop.set()
        runner.join(20)
        assert not runner.is_alive(), "timers that were told to stop still run"

    try:
        yield end
    finally:
        end()


def test_a_timer_runs_at_once_and_then_every_so_often():
    calls: list[float] = []

    with running(Timer(name="t", every=0.01, run=lambda: calls.append(0.0) or False)) as end:
        wait_until(lambda: len(calls) >= 3)
        end()
        ran = len(calls)

    assert len(calls) == ran


def test_a_timer_that_says_there_is_more_is_called_again_without_waiting():
    answers = iter([True, True, True, False])
    calls: list[bool] = []

    def work() -> bool:
        calls.append(True)
        return next(answers)

    with running(Timer(name="t", every=3600.0, run=work)):
        wait_until(lambda: len(calls) == 4, limit=5)


def test_a_timer_that_failed_is_logged_and_tried_again_and_its_neighbour_never_noticed(caplog):
    calls: list[str] = []

    def fails_twice() -> bool:
        calls.append("one")
        if calls.count("one") < 3:
            raise ZeroDivisionError
        return False

    other = Timer(name="other", every=0.01, run=lambda: calls.append("other") or False)
    with caplog.at_level(logging.ERROR), running(Timer(name="one", every=0.01, run=fails_twice), other):
        wait_until(lambda: calls.count("one") >= 4 and calls.count("other") >= 4)

    failed = [record.getMessage() for record in caplog.records if record.name == "runtime.timers"]
    assert failed == ["timer one failed and is tried again"] * 2


def test_a_timer_ends_what_it_is_at_before_the_run_is_over():
    begun, go_on, ended = threading.Event(), threading.Event(), []

    def work() -> bool:
        begun.set()
        assert go_on.wait(20)
        ended.append(True)
        return True

    stop = threading.Event()
    timer = Timer(name="t", every=0.01, run=work)
    runner = threading.Thread(target=timers.run, args=([timer],), kwargs={"stop": stop}, daemon=True)
    runner.start()
    assert begun.wait(20)
    stop.set()
    assert runner.is_alive()
    go_on.set()
    runner.join(20)

    assert ended == [True]


def test_a_timer_whose_connection_died_works_on_a_new_one(committed):
    pids: list[int] = []

    def work() -> bool:
        with connections["orders"].cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
            if len(pids) == 1:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return False

    with running(Timer(name="t", every=0.01, run=work)):
        wait_until(lambda: len(pids) >= 3)

    assert pids[0] not in pids[1:]


def test_timers_leave_no_connection_behind(committed):
    def work() -> bool:
        with connections["orders"].cursor() as cursor:
            cursor.execute("SET application_name = 'a timer of the tests'")
        return False

    def open_ones() -> int:
        with connections["orders"].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'a timer of the tests'")
            return cursor.fetchone()[0]

    with running(Timer(name="t", every=0.01, run=work)):
        wait_until(lambda: open_ones() == 1)

    wait_until(lambda: open_ones() == 0)


@pytest.mark.parametrize("every", [0, -0.5])
def test_a_timer_that_would_never_rest_is_refused(every):
    with pytest.raises(ValueError, match=rf"timer 't' runs every {every} s: it has to be more than 0"):
        Timer(name="t", every=every, run=lambda: False)
