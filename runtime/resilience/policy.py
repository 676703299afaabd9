"""How a neighbour is asked, as data: how long, how often, how many at a time, and when it is left alone for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["BadPolicy", "CalleePolicy", "MethodPolicy"]

LONGEST_OPEN_SECONDS = 10.0
"""A neighbour that is well again is asked again within this time."""


class BadPolicy(ValueError):
    """A policy's value is out of its bounds."""


def _within(name: str, value: float, lowest: float, highest: float) -> None:
    """Also refuses what is no number at all (NaN compares as false)."""
    if not lowest <= value <= highest:
        raise BadPolicy(f"{name} is {value}: it is from {lowest:g} to {highest:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPolicy:
    """
    How one method is asked. ``seconds`` is for one try; the caller's deadline shortens it.

    ``tries`` counts the first one. More are made only where asking twice changes nothing more: the method carries a
    ``key``, or ``reads`` is declared here. Before try n + 1 there is a pause of a random length, up to
    ``pause_seconds`` doubled n - 1 times and never over ``longest_pause_seconds``.
    """

    seconds: float = 10.0
    tries: int = 3
    reads: bool = False
    pause_seconds: float = 0.05
    longest_pause_seconds: float = 0.5

    def __post_init__(self) -> None:
        _within("seconds", self.seconds, 0.01, 60.0)
        _within("tries", self.tries, 1, 10)
        _within("pause_seconds", self.pause_seconds, 0.0, 5.0)
        _within("longest_pause_seconds", self.longest_pause_seconds, self.pause_seconds, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalleePolicy:
    """
    How one neighbour is asked.

    ``places``: so many callers at a time; one more waits ``place_wait_seconds`` for a place, if the neighbour has
    answered somebody within that time, or nobody was asking before it. ``retry_percent``: so many tries again for each
    hundred calls, of which ``saved_retries`` at most are kept for later. ``failures`` in a row within
    ``window_seconds``, or one that took as long, open the breaker for ``open_seconds``. Whoever waited less than
    ``fair_seconds`` for an answer that did not come has shown nothing.
    """

    places: int = 4
    place_wait_seconds: float = 0.5
    retry_percent: int = 20
    saved_retries: int = 10
    failures: int = 5
    window_seconds: float = 10.0
    open_seconds: float = 5.0
    fair_seconds: float = 0.5
    every: MethodPolicy = MethodPolicy()
    methods: Mapping[str, MethodPolicy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _within("places", self.places, 1, 1000)
        _within("place_wait_seconds", self.place_wait_seconds, 0.0, 1.0)
        _within("retry_percent", self.retry_percent, 0, 100)
        _within("saved_retries", self.saved_retries, 1, 1000)
        _within("failures", self.failures, 1, 1000)
        _within("window_seconds", self.window_seconds, 0.1, 300.0)
        _within("open_seconds", self.open_seconds, 0.01, LONGEST_OPEN_SECONDS)
        _within("fair_seconds", self.fair_seconds, 0.0, 10.0)

    def of(self, method: str) -> MethodPolicy:
        return self.methods.get(method, self.every)
