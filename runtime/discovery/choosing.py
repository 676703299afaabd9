"""
Which of a domain's instances is asked next.

The one with the fewest requests of this process in flight, at random among equals. One that could not be reached is set
aside, longer each time; when its time is over it is tried by one request before it is trusted with more.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from contracts._base import Unavailable
from runtime.discovery.instances import Instance

FIRST_ASIDE = 1.0
LONGEST_ASIDE = 10.0
"""Seconds. Whoever comes back is found again within the time that the guarantees leave for it."""


class NoInstance(Unavailable):
    """Nobody is known who hosts this domain now, so that nobody was asked."""

    may_have_run = False


@dataclass(slots=True)
class _Standing:
    """How it goes with one instance. ``back_at`` is on the monotonic clock."""

    instance: Instance
    in_flight: int = 0
    failures: int = 0
    aside_at: float = 0.0
    back_at: float = 0.0

    def is_open(self, now: float) -> bool:
        return not self.failures or (now >= self.back_at and not self.in_flight)


class Choice:
    """The instances of one domain, as one process has fared with them. Any thread may ask."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, randomness: random.Random | None = None) -> None:
        self._clock = clock
        self._random = randomness or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._lock = threading.Lock()
        self._known: dict[Instance, _Standing] = {}

    def update(self, instances: Iterable[Instance]) -> bool:
        """These and no others, each with the standing it had. Whether that is news."""
        with self._lock:
            before = self._known
            self._known = {instance: before.get(instance) or _Standing(instance) for instance in instances}
            return before.keys() != self._known.keys()

    def choose(self, *, besides: Collection[Instance] = ()) -> Instance | None:
        """
        None where nobody is known. Where all are set aside it is the one that has been for the longest time; but
        whoever was asked already (``besides``) is only followed by one that is not.
        """
        now = self._clock()
        with self._lock:
            rest = [standing for standing in self._known.values() if standing.instance not in besides]
            found = [standing for standing in rest if standing.is_open(now)]
            if found:
                fewest = min(standing.in_flight for standing in found)
                chosen = self._random.choice([standing for standing in found if standing.in_flight == fewest])
            elif rest and not besides:
                chosen = min(rest, key=lambda standing: (standing.aside_at, standing.in_flight))
            else:
                return None
            chosen.in_flight += 1
            return chosen.instance

    def told(self, instance: Instance, *, ok: bool | None) -> None:
        """How it went: ``ok`` is false where it could not be reached, None where that cannot be said."""
        now = self._clock()
        with self._lock:
            standing = self._known.get(instance)
            if standing is None:
                return
            standing.in_flight = max(0, standing.in_flight - 1)
            if ok is None:
                return
            if ok:
                standing.failures = 0
            elif now >= standing.back_at:
                # Requests that were under way together fail together: that is one failure.
                standing.failures += 1
                standing.aside_at = now
                standing.back_at = now + min(LONGEST_ASIDE, FIRST_ASIDE * 2.0 ** (standing.failures - 1))
            else:
                standing.aside_at = now

    def set_aside(self) -> int:
        """How many there are that are not trusted now."""
        with self._lock:
            return sum(1 for standing in self._known.values() if standing.failures)

    def __len__(self) -> int:
        return len(self._known)
