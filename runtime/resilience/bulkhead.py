"""So many callers may wait for one neighbour, and no more (Nygard, Release It!, chapter 5)."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import ClassVar, Self

from contracts._base import Unavailable


class BulkheadFull(Unavailable):
    """As many calls as are allowed are waiting already, so this one was not begun."""

    code: ClassVar[str] = "bulkhead_full"
    may_have_run = False


class Bulkhead:
    """
    ``with Bulkhead(name="provider", places=4):`` raises BulkheadFull at once where no place is free.

    ``enter`` may wait for one, if there are not half as many as places waiting already.
    """

    def __init__(self, *, name: str, places: int) -> None:
        if places < 1:
            raise ValueError(f"bulkhead {name!r} has {places} places: it needs at least one")
        self._name = name
        self._places = places
        self._free = threading.BoundedSemaphore(places)
        self._queue = threading.BoundedSemaphore(places // 2)

    def enter(self, *, wait: float) -> None:
        """Take a place, to be given back by ``leave``. Raises BulkheadFull, after so many seconds at most."""
        if self._free.acquire(blocking=False) or (wait > 0 and self._wait(wait)):
            return
        raise BulkheadFull(f"{self._places} calls are waiting for {self._name} already")

    def leave(self) -> None:
        self._free.release()

    def _wait(self, seconds: float) -> bool:
        if not self._queue.acquire(blocking=False):
            return False
        try:
            return self._free.acquire(timeout=seconds)
        finally:
            self._queue.release()

    def __enter__(self) -> Self:
        self.enter(wait=0.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
