"""What runs here while a domain moves: a supervisor that is asked to stop processes and to start others, or nobody."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from config.moves.errors import AnotherIsAtWork, NotReady, SupervisorGone, SupervisorSilent
from config.supervision.leftovers import clear_leftovers
from runtime.embedded.process import is_alive, wait_until
from runtime.embedded.state import RunFile, read_run, sole_owner

STOP_LIMIT = 60.0
START_LIMIT = 180.0
"""Seconds. A supervisor gives its processes 90 to become ready."""


class House(Protocol):
    is_running: bool

    def rest(self, move: str) -> None:
        """No process hosts the domain any more. Raises a kind of MoveRefused."""

    def follow(self, move: str | None) -> None:
        """Everything runs as the files say now: after this move, or None after none. Raises a kind of MoveRefused."""


@contextmanager
def house(state: Path, say: Callable[[str], None]) -> Iterator[House]:
    """Who is asked. Where nothing runs, nothing is started here meanwhile either."""
    with sole_owner(state) as other:
        if other is None:
            clear_leftovers(state, say)
            yield Empty()
            return
        run = read_run(state)
        if run is None or run["supervisor"]["pid"] != other or run["state"] != "ready":
            raise AnotherIsAtWork(pid=other or "?", state=state)
        yield Supervised(state, run)


class Empty:
    """Nothing runs: there is nothing to stop and nothing to start."""

    is_running = False

    def rest(self, move: str) -> None:
        pass

    def follow(self, move: str | None) -> None:
        pass


class Supervised:
    is_running = True

    def __init__(self, state: Path, run: RunFile) -> None:
        self._state = state
        self._supervisor = run["supervisor"]

    def rest(self, move: str) -> None:
        self._ask(lambda run: run.get("resting") == move, what="stop the domain's processes", limit=STOP_LIMIT)

    def follow(self, move: str | None) -> None:
        self._ask(
            lambda run: "resting" not in run and run["state"] == "ready" and move in {None, run.get("followed")},
            what="get ready",
            limit=START_LIMIT,
        )

    def _ask(self, condition: Callable[[RunFile], bool], *, what: str, limit: float) -> None:
        """Have it look at the files again, and wait until it has done what they say, or says why not."""
        found = read_run(self._state)
        if not self._is_alive() or found is None:
            raise SupervisorGone(state=self._state)
        heeded = found.get("heeded", 0)
        os.kill(self._supervisor["pid"], signal.SIGUSR1)

        def why_not() -> str:
            return str(found.get("failure", "")) if found and found.get("heeded", 0) > heeded else ""

        def done() -> bool:
            nonlocal found
            found = read_run(self._state)
            return not self._is_alive() or (found is not None and (bool(why_not()) or condition(found)))

        in_time = wait_until(done, limit=limit, every=0.05)
        if not self._is_alive():
            raise SupervisorGone(state=self._state)
        if why := why_not():
            raise NotReady(why=why)
        if not in_time:
            raise SupervisorSilent(state=self._state, what=what, limit=limit, logs=self._state / "log")

    def _is_alive(self) -> bool:
        return is_alive(self._supervisor["pid"], self._supervisor["started"])
