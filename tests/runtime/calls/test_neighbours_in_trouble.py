"""A neighbour that stalls, refuses, crashes or talks rubbish costs a bounded part of us, and is found out when well."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from prometheus_client import REGISTRY

from config.dynamic_values import values_of_calls
from contracts._base import DeadlineExceeded, Rejected, Unavailable
from runtime.calls import BrokenService, call, resolve
from runtime.calls.guards import guard_of
from runtime.resilience import BreakerOpen, BulkheadFull, CalleePolicy, MethodPolicy, State
from tests.runtime.calls.depot import DEPOT, Depot
from tests.runtime.calls.neighbours import answer, resetting, saying, silent
from tests.together import wait_until

PROBLEM = "application/problem+json"
LATE = answer(b'{"kinds": ["deadline_exceeded", "unavailable"]}', status="504 Late", media_type=PROBLEM)
NO = answer(b'{"kinds": ["rejected"], "detail": "no"}', status="409 Conflict", media_type=PROBLEM)
CRASH = answer(b'{"code": "internal_error"}', status="500 Internal Server Error", media_type=PROBLEM)
GOOD = answer(b"1")


@pytest.fixture
def policy(settings) -> Callable[..., None]:
    """How the depot is asked."""

    def use(*, every: dict[str, Any] | None = None, **values: Any) -> None:
        methods = values.pop("methods", {})
        known = CalleePolicy(every=MethodPolicy(**{"seconds": 5.0, **(every or {})}), methods=methods, **values)
        settings.CALL_POLICIES = {"depot": known}

    return use


class Changing:
    """A behaviour that can be changed."""

    def __init__(self, behave: Callable[[socket.socket], bool]) -> None:
        self.behave = behave

    def __call__(self, connection: socket.socket) -> bool:
        return self.behave(connection)


class Held:
    """Answers well, but not before it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, connection: socket.socket) -> bool:
        assert self.go.wait(20)
        connection.sendall(GOOD)
        return True


def state() -> State:
    return guard_of("depot").standing.state


@contextmanager
def asking(depot: Depot, count: int):
    """So many threads that ask at the same time; yields what they have come to so far."""
    found: list[object] = []

    def ask() -> None:
        try:
            found.append(depot.act(deed="nothing"))
        except Exception as error:
            found.append(error)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield found
    for thread in threads:
        thread.join(20)
    assert len(found) == count


def outage(depot: Depot) -> Unavailable:
    with pytest.raises(Unavailable) as raised:
        depot.act(deed="nothing")
    return raised.value


# --- The breaker ----------------------------------------------------------------------------------------------------


ILL = {
    "silent": (silent, Unavailable),
    "reset": (resetting, Unavailable),
    "a proxy's 500": (saying(answer(b"oops", status="500 Oops", media_type="text/html"), stays=True), Unavailable),
    "a 503": (saying(answer(b"{}", status="503 Later", media_type=PROBLEM), stays=True), Unavailable),
    "garbage": (saying(answer(b"\x00garbage"), stays=True), Unavailable),
    "no HTTP": (saying(b"\x00\x01\x02\r\n\r\n"), Unavailable),
    "our own 500": (saying(CRASH, stays=True), BrokenService),
}


@pytest.mark.parametrize(("behave", "error"), ILL.values(), ids=ILL)
def test_after_so_many_failures_it_is_not_asked_any_more_until_it_answers_one_again(neighbour, policy, behave, error):
    policy(failures=3, open_seconds=10.0, every={"seconds": 0.2}, fair_seconds=0.1)
    changing = Changing(behave)
    there, depot = neighbour(changing)

    for _ in range(3):
        with pytest.raises(error):
            depot.act(deed="nothing")
    assert state() is State.OPEN
    for _ in range(5):
        refused = outage(depot)
        assert (type(refused), refused.may_have_run) == (BreakerOpen, False)
        assert 9.0 < refused.data["retry_after"] <= 10.0
    assert len(there.requests) == 3

    policy(failures=3, open_seconds=0.01)
    changing.behave = saying(GOOD, stays=True)
    wait_until(lambda: _answers(depot))
    assert state() is State.CLOSED


def _answers(depot: Depot) -> bool:
    try:
        return depot.act(deed="nothing") == 1
    except BreakerOpen:
        return False


def test_what_operators_set_is_gone_by_from_the_next_call_on(neighbour, policy, settings, go_by):
    settings.DYNAMIC_VALUES = (*settings.DYNAMIC_VALUES, *values_of_calls("depot"))
    policy(failures=50)
    there, depot = neighbour(resetting)
    outage(depot)
    assert state() is State.CLOSED

    go_by({"calls.depot.breaker_failures": "3", "calls.depot.breaker_open": "10s"})
    assert [type(outage(depot)) for _ in range(3)] == [Unavailable, Unavailable, BreakerOpen]
    assert len(there.requests) == 3
    go_by({"calls.depot.breaker_open": "100ms"})
    wait_until(lambda: type(outage(depot)) is Unavailable)
    assert len(there.requests) == 4


def test_nobody_there_opens_it_as_well(remote, policy):
    policy(failures=2, every={"seconds": 1.0})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    depot = remote(f"http://127.0.0.1:{port}")

    assert [type(outage(depot)) for _ in range(4)] == [Unavailable, Unavailable, BreakerOpen, BreakerOpen]


def test_when_it_may_be_asked_again_one_asks_and_many_others_are_refused_meanwhile(neighbour, policy):
    policy(failures=1, open_seconds=0.01, places=50)
    changing = Changing(resetting)
    there, depot = neighbour(changing)
    outage(depot)
    assert state() is State.OPEN
    held = changing.behave = Held()
    wait_until(lambda: guard_of("depot")._breaker._left_alone() <= 0)

    with asking(depot, 1) as probe:
        wait_until(lambda: len(there.requests) == 2)
        assert state() is State.HALF_OPEN
        with asking(depot, 20) as others:
            wait_until(lambda: len(others) == 20)
        assert {type(error) for error in others} == {BreakerOpen}
        assert probe == []
        held.go.set()

    assert probe == [1]
    assert state() is State.CLOSED
    assert len(there.requests) == 2


def test_a_probe_that_is_not_answered_opens_it_again(neighbour, policy):
    policy(failures=1, open_seconds=0.01)
    there, depot = neighbour(resetting)
    outage(depot)

    wait_until(lambda: type(outage(depot)) is Unavailable)

    assert state() is State.OPEN
    assert len(there.requests) == 2


def test_a_no_never_opens_it(neighbour, policy):
    policy(failures=2)
    there, depot = neighbour(saying(NO, stays=True))

    for _ in range(10):
        with pytest.raises(Rejected):
            depot.act(deed="nothing")

    assert (state(), len(there.requests)) == (State.CLOSED, 10)


def test_that_there_was_no_time_left_is_no_fault_of_whoever_says_so(neighbour, policy):
    policy(failures=2)
    there, depot = neighbour(saying(LATE, stays=True))

    assert [type(outage(depot)) for _ in range(5)] == [DeadlineExceeded] * 5

    assert (state(), len(there.requests)) == (State.CLOSED, 5)


def test_callers_in_a_hurry_do_not_close_the_door_to_those_with_time(neighbour, policy):
    policy(failures=2)
    _, depot = neighbour(silent)

    for _ in range(4):
        with call(seconds=0.05):
            outage(depot)

    assert state() is State.CLOSED


# --- Places ---------------------------------------------------------------------------------------------------------


def test_in_a_rush_whoever_finds_no_place_waits_for_one_where_somebody_was_answered_of_late(neighbour, policy):
    policy(places=2, place_wait_seconds=1.0)
    changing = Changing(saying(GOOD, stays=True))
    there, depot = neighbour(changing)
    assert depot.act(deed="nothing") == 1
    held = changing.behave = Held()

    with asking(depot, 5) as found:
        wait_until(lambda: len(there.requests) == 3)
        held.go.set()

    assert found == [1] * 5


def test_of_a_burst_after_a_rest_nobody_is_refused_by_a_neighbour_that_is_well(neighbour, policy):
    policy(places=2, place_wait_seconds=1.0)
    held = Held()
    there, depot = neighbour(Changing(held))

    with asking(depot, 5) as found:
        wait_until(lambda: len(there.requests) == 2)
        held.go.set()

    assert found == [1] * 5


def test_of_many_that_ask_a_stalled_one_few_wait_and_the_others_are_told_at_once(neighbour, policy):
    policy(places=3)
    held = Held()
    there, depot = neighbour(held)

    with asking(depot, 12) as found:
        wait_until(lambda: len(found) == 9)
        assert {type(error) for error in found} == {BulkheadFull}
        assert {error.may_have_run for error in found if isinstance(error, BulkheadFull)} == {False}
        wait_until(lambda: len(there.requests) == 3)
        held.go.set()

    assert found[9:] == [1, 1, 1]
    assert len(there.requests) == 3
    assert depot.act(deed="nothing") == 1


# --- Trying again ---------------------------------------------------------------------------------------------------


class Failing:
    """Fails so many times, then answers."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self, connection: socket.socket) -> bool:
        self.times -= 1
        return (resetting if self.times >= 0 else saying(GOOD, stays=True))(connection)


def test_what_carries_a_key_is_asked_again_with_the_same_words(neighbour, policy):
    policy(retry_percent=100, every={"tries": 3, "pause_seconds": 0.001})
    failing = Failing(0)
    there, depot = neighbour(failing)
    # Tries again are paid for by calls.
    assert [depot.put(key="k") for _ in range(2)] == [1, 1]
    failing.times = 2

    assert depot.put(key="k") == 1

    bodies = [request.partition(b"\r\n\r\n")[2] for _, request in there.requests]
    assert bodies == [b'{"key":"k"}'] * 5


def test_what_carries_none_is_asked_once_unless_it_is_declared_a_read(neighbour, policy):
    reads = {"count": MethodPolicy(seconds=5.0, reads=True, pause_seconds=0.001)}
    policy(retry_percent=100, methods=reads)
    failing = Failing(0)
    there, depot = neighbour(failing)
    assert [depot.count(shelf="a"), depot.act(deed="nothing")] == [1, 1]
    failing.times = 1
    assert depot.count(shelf="a") == 1
    failing.times = 1

    assert type(outage(depot)) is Unavailable

    assert len(there.requests) == 2 + 2 + 1


def test_in_an_outage_tries_again_stay_below_a_fifth_of_the_calls(neighbour, policy):
    policy(failures=1000, every={"pause_seconds": 0.001})
    there, depot = neighbour(resetting)

    for number in range(50):
        with pytest.raises(Unavailable):
            depot.put(key=str(number))

    assert len(there.requests) == 60


# --- Processes ------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_begins_anew_whoever_was_waiting_in_its_parent(neighbour, policy):
    policy(places=1)
    held = Held()
    there, depot = neighbour(held)

    with asking(depot, 1):
        wait_until(lambda: len(there.requests) == 1)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with call(seconds=0.2):
                    code = 0 if type(outage(depot)) is Unavailable else 1
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert type(outage(depot)) is BulkheadFull
        held.go.set()

    assert os.waitstatus_to_exitcode(status) == 0


# --- Figures --------------------------------------------------------------------------------------------------------


def counted(method: str, way: str, result: str) -> float:
    labels = {"callee": "depot", "method": method, "way": way, "result": result}
    return REGISTRY.get_sample_value("mitosis_call_duration_seconds_count", labels) or 0.0


REMOTE = {
    "ok": saying(GOOD, stays=True),
    "rejected": saying(NO, stays=True),
    "unavailable": resetting,
    "broken": saying(CRASH, stays=True),
}


@pytest.mark.parametrize(("result", "behave"), REMOTE.items(), ids=REMOTE)
def test_each_call_is_counted_once_by_what_came_of_it(neighbour, policy, result, behave):
    policy(failures=1000)
    _, depot = neighbour(behave)
    before = {name: counted("act", "remote", name) for name in REMOTE}

    with suppress(Unavailable, Rejected, BrokenService):
        depot.act(deed="nothing")

    after = {name: counted("act", "remote", name) for name in REMOTE}
    assert after == {**before, result: before[result] + 1}


def test_what_was_refused_here_is_counted_by_who_refused_it(neighbour, policy):
    policy(failures=1, places=1)
    _, depot = neighbour(resetting)
    before = counted("act", "remote", "breaker_open"), counted("act", "remote", "deadline_exceeded")

    outage(depot)
    assert type(outage(depot)) is BreakerOpen
    with call(seconds=0.0):
        outage(depot)

    assert (counted("act", "remote", "breaker_open"), counted("act", "remote", "deadline_exceeded")) == (
        before[0] + 1,
        before[1] + 1,
    )


def test_a_local_call_is_counted_as_one(hosting):
    depot, before = resolve(DEPOT), (counted("act", "local", "ok"), counted("act", "local", "rejected"))

    depot.act(deed="nothing")
    with pytest.raises(Rejected):
        depot.act(deed="full")

    assert (counted("act", "local", "ok"), counted("act", "local", "rejected")) == (before[0] + 1, before[1] + 1)
