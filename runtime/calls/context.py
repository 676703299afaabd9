"""What travels with every call without being an argument: how long it may take, and on whose lease it is made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from contracts._base import DeadlineExceeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What is held by one process at a time. ``epoch`` counts its holders: one that slept has an older one."""

    id: UUID
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    The ambient part of a call. ``deadline`` is on this process's monotonic clock, in seconds; None is no limit.

    ``lease`` is the one under which the call is made: whoever is called refuses an older holder (runtime.calls.fence).
    """

    deadline: float | None = None
    lease: Lease | None = None

    def remaining(self) -> float | None:
        """Seconds left, never below zero; None where there is no limit."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def require_time(self) -> None:
        """Raises DeadlineExceeded where no time is left: what was not begun has not run."""
        if self.remaining() == 0.0:
            raise DeadlineExceeded

    def allowed(self, wanted: float) -> float:
        """The wanted time in seconds, or what is left of it."""
        remaining = self.remaining()
        return wanted if remaining is None else min(wanted, remaining)


_current: ContextVar[Call] = ContextVar("call", default=Call())  # noqa: B039 - frozen


def current_call() -> Call:
    return _current.get()


@contextmanager
def call(*, seconds: float | None = None, lease: Lease | None = None) -> Iterator[Call]:
    """Limit what runs inside to so many seconds. A deadline only ever shrinks; a lease, once set, stays."""
    outer = _current.get()
    deadline = outer.deadline
    if seconds is not None:
        mine = time.monotonic() + seconds
        deadline = mine if deadline is None else min(deadline, mine)
    inner = Call(deadline=deadline, lease=lease or outer.lease)
    token = _current.set(inner)
    try:
        yield inner
    finally:
        _current.reset(token)
