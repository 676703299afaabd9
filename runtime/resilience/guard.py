"""What stands between this process and one neighbour: so many at a time, tries that are paid for, and the breaker."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable

from contracts._base import DeadlineExceeded, Unavailable
from runtime.resilience.breaker import Breaker, BreakerOpen, Standing, Verdict
from runtime.resilience.budget import RetryBudget
from runtime.resilience.bulkhead import Bulkhead
from runtime.resilience.policy import CalleePolicy, MethodPolicy

__all__ = ["Guard"]

_NEARLY = 0.9
"""Of the time that was given: whoever failed after that ran out of it."""

type Once[R] = Callable[[float], R]
"""One try, within so many seconds."""
type Left = Callable[[], float | None]
"""Seconds until the caller's deadline; None where there is none."""


class Guard:
    """
    One for each neighbour in each process. ``judge`` says what an error of a try has shown of the neighbour.

    ``policy`` is read at each call, but for ``places`` and the wait for one, which are set at the start.
    """

    def __init__(
        self,
        *,
        name: str,
        policy: Callable[[], CalleePolicy],
        judge: Callable[[Exception], Verdict],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        tell: Callable[[Standing], None] = lambda standing: None,
    ) -> None:
        self._policy, self._judge = policy, judge
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._bulkhead = Bulkhead(
            name=name, places=policy().places, wait=policy().place_wait_seconds, worth=self._moves
        )
        self._asking: set[int] = set()
        self._moved_at = -math.inf
        self._budget = RetryBudget(policy)
        self._breaker = Breaker(name=name, policy=policy, clock=clock, tell=tell)

    @property
    def standing(self) -> Standing:
        return self._breaker.standing

    def ask[R](self, method: str, once: Once[R], *, keyed: bool, left: Left) -> R:
        """
        The answer of the first try that has one. ``keyed``: the callee knows a call again by its key.

        Raises whatever ``once`` does; BulkheadFull and BreakerOpen without a try; DeadlineExceeded where no
        time was left for one. An Unavailable that comes out says whether any of the tries may have run.
        """
        rules = self._policy().of(method)
        self._budget.called()
        with self._bulkhead:
            if not self._asking:
                self._moved_at = self._clock()
            self._asking.add(threading.get_ident())
            try:
                return self._tries(rules, once, rules.tries if keyed or rules.reads else 1, left)
            finally:
                self._asking.discard(threading.get_ident())

    def _moves(self) -> bool:
        """
        Whether somebody was answered within the wait for a place, or the first of those who ask began within it: then
        there is a rush, and else a stall.
        """
        return self._clock() - self._moved_at <= self._policy().place_wait_seconds

    def _tries[R](self, rules: MethodPolicy, once: Once[R], most: int, left: Left) -> R:
        earlier: Unavailable | None = None
        number = 1
        while True:
            try:
                return self._try(rules, once, left)
            except (BreakerOpen, DeadlineExceeded) as error:
                # Nothing was asked this time: what the tries before came to is the news.
                raise earlier or error from None
            except Unavailable as error:
                error.may_have_run = error.may_have_run or (earlier is not None and earlier.may_have_run)
                earlier = error
                if number >= most or not self._may_try_again(rules, number, left):
                    raise
            number += 1

    def _may_try_again(self, rules: MethodPolicy, number: int, left: Left) -> bool:
        """Full jitter (M. Brooker, Exponential Backoff and Jitter, 2015). Waits, where it may."""
        pause = self._chance() * min(rules.longest_pause_seconds, rules.pause_seconds * 2 ** (number - 1))
        remaining = left()
        if (remaining is not None and pause >= remaining) or not self._budget.take():
            return False
        self._sleep(pause)
        return True

    def _try[R](self, rules: MethodPolicy, once: Once[R], left: Left) -> R:
        remaining = left()
        seconds = rules.seconds if remaining is None else min(rules.seconds, remaining)
        if seconds <= 0:
            raise DeadlineExceeded
        turn, verdict, began = self._breaker.enter(), Verdict.UNSAID, self._clock()
        try:
            answer = once(seconds)
            verdict = Verdict.WELL
        except Exception as error:
            verdict = self._judge(error)
            ran_out = self._clock() - began >= _NEARLY * seconds
            if verdict is Verdict.ILL and ran_out and seconds < self._policy().fair_seconds:
                verdict = Verdict.UNSAID
            raise
        finally:
            if verdict is Verdict.WELL:
                self._moved_at = self._clock()
            self._breaker.leave(turn, verdict, waited=self._clock() - began)
        return answer
