"""
Work that comes due by itself is done, soon after and again after a failure, by whichever relay is alive.

When something is due is a row's business (``due_at``, by the database's clock) and never the broker's or a process's:
a timer here only looks, often enough.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import connections

__all__ = ["Timer", "run"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """
    ``run`` is called every so many seconds, and again at once while it answers True (there was more than one
    helping). Several processes may run the same timer: what it does must be claimed row by row.

    ``wait`` waits in its thread for that time, or for a nudge that there is something to do.
    """

    name: str
    every: float
    run: Callable[[], bool]
    wait: Callable[[float], None] | None = None

    def __post_init__(self) -> None:
        if self.every <= 0:
            raise ValueError(f"timer {self.name!r} runs every {self.every} s: it has to be more than 0")


def run(timers: Sequence[Timer], *, stop: threading.Event) -> None:
    """Run all timers, a thread each, until ``stop`` is set and each has finished what it was at."""
    threads = [threading.Thread(target=_loop, args=(timer, stop), name=timer.name, daemon=True) for timer in timers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _loop(timer: Timer, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            if timer.run():
                continue
            if timer.wait is not None:
                timer.wait(timer.every)
                continue
        except Exception:  # whatever it was, the next look may succeed, on connections that are new
            log.exception("timer %s failed and is tried again", timer.name)
            connections.close_all()
        stop.wait(timer.every)
    connections.close_all()
