"""A process goes by what it heard last, never by anything bad, and reading it costs nothing."""

from __future__ import annotations

import os
import threading
import time
import timeit

import pytest

from runtime.dynconf import UnknownValue, value
from runtime.dynconf.calls import CallValues, call_values
from runtime.dynconf.values import Snapshot, apply, await_news, current
from tests.together import wait_until


def test_what_was_never_changed_is_at_its_default(settings):
    settings.ORDER_BUDGET = 1.25

    assert value("orders.budget") == 1.25
    assert value("orders.accepting") is True


def test_what_was_changed_is_so_until_it_is_taken_back(settings):
    settings.ORDER_BUDGET = 1.25

    apply(Snapshot(version=1, texts={"orders.budget": "500ms", "orders.accepting": "off"}))
    assert (value("orders.budget"), value("orders.accepting")) == (0.5, False)
    apply(Snapshot(version=2, texts={"orders.accepting": "off"}))

    assert (value("orders.budget"), value("orders.accepting")) == (1.25, False)


@pytest.mark.parametrize("bad", ["61s", "", "soon", "\x00"])
def test_a_bad_value_is_not_applied_and_said_once(caplog, bad):
    apply(Snapshot(version=1, texts={"orders.budget": "500ms"}))

    for version in (2, 3):
        apply(Snapshot(version=version, texts={"orders.budget": bad, "orders.accepting": "off"}))

    assert (value("orders.budget"), value("orders.accepting")) == (0.5, False)
    assert current().version == 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "orders.budget=" in caplog.text


def test_a_bad_value_at_the_start_leaves_the_default(settings):
    settings.ORDER_BUDGET = 1.25

    apply(Snapshot(version=2, texts={"orders.budget": "soon"}))

    assert value("orders.budget") == 1.25


def test_what_another_release_has_is_left_alone():
    apply(Snapshot(version=1, texts={"of.another": "1", "orders.budget": "500ms"}))

    assert value("orders.budget") == 0.5
    with pytest.raises(UnknownValue, match=r"There is no value 'of.another' that can be changed"):
        value("of.another")


def test_a_read_costs_less_than_two_microseconds():
    value("calls.orders.timeout")

    times = timeit.repeat(lambda: value("calls.orders.timeout"), number=20_000, repeat=7, timer=time.process_time)
    best = min(times) / 20_000

    assert best < 2e-6


def test_who_waits_for_news_is_woken_by_it_at_once():
    known, woken = current(), []

    def wait() -> None:
        began = time.monotonic()
        await_news(known, seconds=30.0)
        woken.append(time.monotonic() - began)

    waiting = threading.Thread(target=wait)
    waiting.start()
    apply(Snapshot(version=known.version + 1, texts={}))
    waiting.join(20)

    assert woken
    assert woken[0] < 10.0


def test_nobody_is_kept_waiting_by_a_process_that_ends():
    ending = threading.Event()
    waiting = threading.Thread(
        target=await_news, args=(current(),), kwargs={"seconds": 300.0, "leaving": ending.is_set}
    )
    waiting.start()
    assert waiting.is_alive()

    ending.set()

    wait_until(lambda: not waiting.is_alive(), limit=10)


def test_all_that_is_about_calls_to_a_domain_comes_in_one_piece():
    texts = {"calls.orders.timeout": "2s", "calls.orders.retry_percent": "0", "calls.orders.breaker_open": "1s"}
    apply(Snapshot(version=1, texts=texts))

    assert call_values("orders") == CallValues(timeout=2.0, retry_percent=0, breaker_failures=5, breaker_open=1.0)
    assert call_values("users") == CallValues(timeout=30.0, retry_percent=20, breaker_failures=5, breaker_open=5.0)
    assert call_values("depot") is None


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_goes_by_what_its_parent_knew():
    apply(Snapshot(version=7, texts={"orders.budget": "500ms"}))

    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert value("orders.budget") == 0.5
            apply(Snapshot(version=8, texts={}))
            code = 0 if current().version == 8 else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert value("orders.budget") == 0.5
