"""
Processes are started anew one by one while all of it runs, so that nobody notices: the new one serves before the old
one is asked to stop, and who stops ends what it has begun.

Whoever wants it writes ``restart.json`` below the state directory; the supervisor does it and writes there how far it
is. Each step is a short one between two looks at what has died.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NotRequired, TypedDict, cast

from config.supervision.doors import Doors
from config.supervision.errors import NotRestarted, SupervisorError
from config.supervision.processes import KeptAlive
from runtime.embedded.errors import StateUnusable
from runtime.embedded.process import group_members
from runtime.embedded.state import locked, read_json, write_json

__all__ = ["Restart", "Restarting", "ask", "is_meant", "progress"]

_FILE = "restart.json"


class Restart(TypedDict):
    """``done`` are the names of those that were started anew. ``failure`` is a sentence."""

    id: str
    names: list[str]
    state: Literal["asked", "under way", "done", "failed"]
    done: list[str]
    failure: NotRequired[str]


def is_meant(name: str, word: str) -> bool:
    """Whether a word means the process of this name: its whole name, or its role."""
    return name == word or name.startswith(f"{word}-")


def ask(state: Path, restart: Restart) -> Restart | None:
    """Have the supervisor do it. The answer is another one that is not over yet, and then nothing was asked."""
    with locked(state / "restart.lock"):
        other = progress(state)
        if other is not None and other["state"] in ("asked", "under way"):
            return other
        write_json(state / _FILE, restart)
    return None


def progress(state: Path) -> Restart | None:
    """How far the latest one is. Raises StateUnusable."""
    return cast("Restart | None", read_json(state / _FILE))


class Restarting:
    """The supervisor's part. ``tend`` goes on with what was asked, a little each time."""

    def __init__(self, state: Path, *, doors: Doors, ready_limit: float, say: Callable[[str], None]) -> None:
        self._state, self._doors, self._ready_limit, self._say = state, doors, ready_limit, say
        self._steps: Iterator[None] | None = None
        self._seen = 0

    def forget(self) -> None:
        """What an earlier supervisor left is nobody's any more."""
        (self._state / _FILE).unlink(missing_ok=True)

    def tend(self, kept: Sequence[KeptAlive]) -> bool:
        """Whether processes have changed since the last time."""
        before = _pids(kept)
        if self._steps is None:
            self._steps = self._begin(kept)
        if self._steps is not None and next(self._steps, self) is self:
            self._steps = None
        return _pids(kept) != before

    def _begin(self, kept: Sequence[KeptAlive]) -> Iterator[None] | None:
        """Look at the file where it has changed."""
        try:
            written = (self._state / _FILE).stat().st_mtime_ns
            if written == self._seen:
                return None
            self._seen = written
            asked = progress(self._state)
        except FileNotFoundError:
            return None
        except StateUnusable as error:
            self._say(str(error))
            return None
        return self._roll(asked, kept) if asked is not None and asked["state"] == "asked" else None

    def _roll(self, restart: Restart, kept: Sequence[KeptAlive]) -> Iterator[None]:
        by_name = {each.spec.name: each for each in kept}
        restart["state"] = "under way"
        self._write_down(restart)
        try:
            for name in restart["names"]:
                if name not in by_name:
                    raise NotRestarted(name=name, why="there is no such process")
                yield from self._one(by_name[name])
                # The supervisor writes down what runs before this one says that it is done.
                yield
                restart["done"].append(name)
                self._write_down(restart)
        except (SupervisorError, OSError) as error:
            restart["state"], restart["failure"] = "failed", str(error)
            self._say(str(error))
            yield
        else:
            restart["state"] = "done"
        self._write_down(restart)

    def _write_down(self, restart: Restart) -> None:
        try:
            write_json(self._state / _FILE, restart)
        except StateUnusable as error:
            self._say(str(error))

    # --- One process ------------------------------------------------------------------------------------------------

    def _one(self, kept: KeptAlive) -> Iterator[None]:
        if kept.child is None:
            raise NotRestarted(name=kept.spec.name, why="it does not run just now")
        self._say(f"Starting {kept.spec.name} anew.")
        yield from self._told_to_change(kept) if kept.spec.change_signal else self._replaced(kept)

    def _replaced(self, kept: KeptAlive) -> Iterator[None]:
        kept.start_beside(self._state / "ready")
        until = time.monotonic() + self._ready_limit
        while not kept.beside_is_ready():
            if not kept.has_another:
                raise NotRestarted(name=kept.spec.name, why="it was stopped meanwhile")
            if how := kept.bury_beside(late=time.monotonic() >= until, limit=self._ready_limit):
                raise NotRestarted(name=kept.spec.name, why=how)
            yield
        kept.change_places()
        until = time.monotonic() + kept.spec.stop_limit
        while not kept.beside_has_ended() and time.monotonic() < until:
            yield
        kept.end_beside()
        self._say(f"{kept.spec.name} was started anew{_as(kept)}.")

    def _told_to_change(self, kept: KeptAlive) -> Iterator[None]:
        """A gateway's master takes new workers, and the old ones end when their last request has."""
        child = kept.child
        assert child is not None
        assert kept.spec.change_signal is not None
        if kept.spec.prepare is not None:
            kept.spec.prepare(self._doors)
        before = set(group_members(child.pid))
        child.send(kept.spec.change_signal)
        until = time.monotonic() + self._ready_limit
        while not set(group_members(child.pid)) - before:
            if kept.child is not child or time.monotonic() >= until:
                raise NotRestarted(name=kept.spec.name, why=f"no new worker came within {self._ready_limit:g} s")
            yield
        self._say(f"{kept.spec.name} has a new worker{_as(kept)}.")


def _as(kept: KeptAlive) -> str:
    return f" (process {kept.child.pid})" if kept.child else ""


def _pids(kept: Sequence[KeptAlive]) -> list[int]:
    return [entry["pid"] for each in kept for entry in each.entries()]
