"""
A neighbour that keeps failing is left alone for a while, then asked by one, and by all when that one was answered.

Nygard, Release It!, chapter 5. The lock is held while a few variables change and never during a call, so nobody waits
for anybody. State is this process's own: what the others have seen, they find out as quickly.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from contracts._base import Unavailable
from runtime.resilience.policy import CalleePolicy

__all__ = ["Breaker", "BreakerOpen", "Standing", "State", "Verdict"]


class State(Enum):
    CLOSED = "closed"
    """Everybody asks."""
    HALF_OPEN = "half_open"
    """One asks, to see."""
    OPEN = "open"
    """Nobody asks."""


class Verdict(Enum):
    """What a try has shown of the neighbour."""

    WELL = "well"
    ILL = "ill"
    UNSAID = "unsaid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``failures``: in a row, of late."""

    state: State
    failures: int


class BreakerOpen(Unavailable):
    """This neighbour has failed again and again and is left alone for a moment, so it was not asked."""

    code: ClassVar[str] = "breaker_open"
    may_have_run = False

    def __init__(self, name: str, *, retry_after: float) -> None:
        super().__init__(f"{name} has failed again and again and is left alone for a moment", retry_after=retry_after)


_PROBE_SECONDS = 1.0
"""When to ask again while somebody else is finding out."""


class Breaker:
    """``turn = enter()``, one try, ``leave(turn, verdict)``. ``tell`` is told each new standing, and must not raise."""

    def __init__(
        self,
        *,
        name: str,
        policy: Callable[[], CalleePolicy],
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[Standing], None] = lambda standing: None,
    ) -> None:
        self._name, self._policy, self._clock, self._tell = name, policy, clock, tell
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._changed_at = clock()
        self._turn = 0
        self._probing = False
        self._failures: deque[float] = deque()
        tell(self.standing)

    @property
    def standing(self) -> Standing:
        return Standing(state=self._state, failures=len(self._failures))

    def enter(self) -> int:
        """The number to leave with. Raises BreakerOpen, at once, with ``retry_after`` in seconds."""
        turn = self._turn
        if self._state is State.CLOSED:
            return turn
        with self._lock:
            state = self._by_now()
            if state is State.CLOSED:
                return self._turn
            if state is State.HALF_OPEN and not self._probing:
                self._probing = True
                return self._turn
            wait = _PROBE_SECONDS if state is State.HALF_OPEN else self._left_alone()
        raise BreakerOpen(self._name, retry_after=round(wait, 3))

    def leave(self, turn: int, verdict: Verdict, *, waited: float = 0.0) -> None:
        """
        What was begun before the last change of state says nothing of now, and is passed over.

        ``waited``: so many seconds. A process that asks one thing at a time would take long to see many failures.
        """
        if verdict is Verdict.WELL and self._state is State.CLOSED and not self._failures:
            return
        with self._lock:
            if turn != self._turn:
                return
            if self._state is State.HALF_OPEN:
                self._probing = False
            if verdict is Verdict.WELL:
                self._well()
            elif verdict is Verdict.ILL:
                self._ill(waited)

    def _well(self) -> None:
        self._failures.clear()
        if self._state is State.CLOSED:
            self._tell(self.standing)
        else:
            self._become(State.CLOSED)

    def _ill(self, waited: float) -> None:
        policy, now = self._policy(), self._clock()
        self._failures.append(now)
        while self._failures[0] < now - policy.window_seconds:
            self._failures.popleft()
        enough = len(self._failures) >= policy.failures or waited >= policy.window_seconds
        if self._state is State.HALF_OPEN or enough:
            self._become(State.OPEN)
        else:
            self._tell(self.standing)

    def _become(self, state: State) -> None:
        self._state, self._changed_at, self._probing = state, self._clock(), False
        self._turn += 1
        self._tell(self.standing)

    def _by_now(self) -> State:
        if self._state is State.OPEN and self._left_alone() <= 0:
            self._become(State.HALF_OPEN)
        return self._state

    def _left_alone(self) -> float:
        """For so many seconds more."""
        return self._changed_at + self._policy().open_seconds - self._clock()
