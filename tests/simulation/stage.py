"""
Actors that run one at a time. Each has a thread and database connections of its own; whoever has the baton runs.

The baton is handed back only where the actor holds no transaction open, so no actor ever waits for another's lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connections

LIMIT = 30.0
"""Seconds of real time that a turn may take: longer, and somebody waits for a lock that another actor holds."""


class PowerCut(BaseException):
    """The process is gone: nothing that follows runs, and what was not committed is not there."""


class Stuck(RuntimeError):
    """An actor did not hand the baton back."""


@dataclass(eq=False)
class Actor:
    """``wakes_at`` is when it goes on, by the run's clock. ``dead``: its process is gone, it may change nothing."""

    name: str
    slot: Slot
    scripted: bool
    wakes_at: float = 0.0
    dead: bool = False
    done: bool = False


class Slot:
    """A thread that plays one actor after another, from run to run: to connect anew each time would cost too much."""

    def __init__(self, number: int, connect: Callable[[], None]) -> None:
        self.actor: Actor | None = None
        self._work: Callable[[], None] | None = None
        self._connect = connect
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._play, name=f"simulation-{number}", daemon=True)
        self._thread.start()

    def play(self, name: str, work: Callable[[], None], *, scripted: bool) -> Actor:
        """Give the thread to a new actor, which begins with its first turn."""
        self.actor = Actor(name, self, scripted)
        self._work = work
        return self.actor

    def turn(self) -> None:
        """Let the actor run until it hands the baton back or has ended. Called by the run."""
        self._go.release()
        if not self._back.acquire(timeout=LIMIT):
            raise Stuck(f"{self.actor} did not hand the baton back within {LIMIT:g} s")

    def hand_back(self) -> None:
        """Called by the actor: wait for the next turn."""
        self._back.release()
        self._go.acquire()

    def close(self) -> None:
        self._work = None
        self.turn()
        self._thread.join(LIMIT)

    def _play(self) -> None:
        self._connect()
        while True:
            self._go.acquire()
            if self._work is None:
                break
            try:
                self._work()
            finally:
                assert self.actor is not None
                self.actor.done, self.actor = True, None
                self._back.release()
        connections.close_all()
        self._back.release()
