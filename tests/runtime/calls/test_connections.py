"""Connections to a neighbour are kept, found out when they are dead, and never shared with a child."""

from __future__ import annotations

import os
import time

import pytest

from runtime.calls.connections import Connections
from tests.runtime.calls.neighbours import answer, saying
from tests.together import wait_until


def test_a_connection_is_kept_and_used_again(neighbour):
    there, depot = neighbour(saying(answer(b"1"), stays=True))

    assert [depot.act(deed="nothing") for _ in range(3)] == [1, 1, 1]

    assert there.connections == [1, 1, 1]


def test_a_connection_that_was_closed_meanwhile_is_not_used_again(neighbour):
    there, depot = neighbour(saying(answer(b"1"), stays=False))

    for number in (1, 2, 3):
        assert depot.act(deed="nothing") == 1
        wait_until(lambda: there.closed == number)  # noqa: B023 - called in this turn

    assert there.connections == [1, 2, 3]


def test_one_that_was_idle_for_long_is_not_used_again_though_the_other_side_still_keeps_it(neighbour):
    there, _ = neighbour(saying(answer(b"1"), stays=True))
    connections = Connections(kept=4, connect_seconds=2.0, largest=100, idle_seconds=2.0)

    def ask() -> bytes:
        return connections.ask("POST", there.url, body=b"{}", headers={}, seconds=5.0).body

    try:
        assert (ask(), ask()) == (b"1", b"1")
        last = time.monotonic()
        wait_until(lambda: time.monotonic() - last > 2.0)
        assert (ask(), ask()) == (b"1", b"1")
    finally:
        connections.close()

    assert there.connections == [1, 1, 2, 2]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_has_connections_of_its_own_and_leaves_its_parents_alone(neighbour):
    there, depot = neighbour(saying(answer(b"1"), stays=True))
    assert depot.act(deed="nothing") == 1

    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if [depot.act(deed="nothing") for _ in range(2)] == [1, 1] else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert depot.act(deed="nothing") == 1

    assert os.waitstatus_to_exitcode(status) == 0
    assert there.connections == [1, 2, 2, 1]
