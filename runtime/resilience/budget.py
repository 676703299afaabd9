"""Tries again are paid for by calls, so that a neighbour in trouble is asked a little more, never many times more."""

from __future__ import annotations

import threading
from collections.abc import Callable

from runtime.resilience.policy import CalleePolicy

_WHOLE = 100
"""Counted in hundredths of a try: whole numbers do not drift."""


class RetryBudget:
    """
    A token bucket: each call puts in ``retry_percent`` hundredths of a try, each try again takes one out.

    It begins empty, so there are never more tries again than that share of all calls; and it holds ``saved_retries`` at
    most, so a long quiet time does not pay for a flood.
    """

    def __init__(self, policy: Callable[[], CalleePolicy]) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._hundredths = 0

    def called(self) -> None:
        """A call was begun."""
        policy = self._policy()
        with self._lock:
            self._hundredths = min(self._hundredths + policy.retry_percent, policy.saved_retries * _WHOLE)

    def take(self) -> bool:
        """Whether one more try is paid for; it is then used up."""
        with self._lock:
            if self._hundredths < _WHOLE:
                return False
            self._hundredths -= _WHOLE
            return True
