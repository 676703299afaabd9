"""So many callers may wait for one neighbour, and no more (Nygard, Release It!, chapter 5)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Self

from contracts._base import Unavailable

LONGEST_WAIT = 1.0
"""Seconds. Whoever waits longer for a place is what a bulkhead is there to prevent."""


class BulkheadFull(Unavailable):
    """As many calls as are allowed are waiting already, so this one was not begun."""

    code: ClassVar[str] = "bulkhead_full"
    may_have_run = False


class Bulkhead:
    """
    ``with Bulkhead(name="provider", places=4):`` raises BulkheadFull where no place is free within ``wait`` seconds.

    A wait in which a neighbour that is well gives several places back makes no burst fail. ``worth`` says whether it is
    worth while: places of one that stalls do not come free.
    """

    def __init__(self, *, name: str, places: int, wait: float = 0.0, worth: Callable[[], bool] = lambda: True) -> None:
        if places < 1:
            raise ValueError(f"bulkhead {name!r} has {places} places: it needs at least one")
        if not 0 <= wait <= LONGEST_WAIT:
            raise ValueError(f"bulkhead {name!r} waits {wait} s: it is from 0 to {LONGEST_WAIT:g}")
        self._name = name
        self._places = places
        self._wait = wait
        self._worth = worth
        self._free = threading.BoundedSemaphore(places)

    def __enter__(self) -> Self:
        if not self._free.acquire(blocking=False) and not (
            self._wait and self._worth() and self._free.acquire(timeout=self._wait)
        ):
            raise BulkheadFull(f"{self._places} calls are waiting for {self._name} already")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.release()
