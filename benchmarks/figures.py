"""What was measured, and what is made of it: medians over the rounds, with the lowest and the highest beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.accounting import Memory
from benchmarks.statements import Asked

CLIENT = "pgbench"
"""The name under which pgbench's own CPU is kept beside the server's."""

TARGET_RATIO = 12.0
"""An order may cost so many times what PostgreSQL alone needs for its rows."""
TARGET_WEB_BYTES = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """
    So many orders placed at this concurrency. ``cpu_ms`` is for one order, by role, until the last effect of the last
    event; ``seconds`` from the first request to the last answer. Latencies in milliseconds.
    """

    concurrency: int
    orders: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_ms: Mapping[str, float]
    statuses: Mapping[str, int]

    @property
    def all_ms(self) -> float:
        return sum(self.cpu_ms.values())

    @property
    def per_second(self) -> float:
        return self.orders / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """As many orders written by pgbench. ``postgres_ms`` is the server's CPU for one, ``client_ms`` pgbench's own."""

    orders: int
    seconds: float
    postgres_ms: float
    client_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A run and the yardstick's, one right after the other on the same machine in the same state."""

    run: Run
    yardstick: Written

    @property
    def ratio(self) -> float:
        """CPU of an order, all of it, over PostgreSQL's CPU for writing its rows. pgbench's own is not counted."""
        return self.run.all_ms / self.yardstick.postgres_ms

    @property
    def ratio_with_client(self) -> float:
        return self.run.all_ms / (self.yardstick.postgres_ms + self.yardstick.client_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """``at_rest_ms``: CPU by role while nothing is asked, in milliseconds a second."""

    at_rest_ms: Mapping[str, float]
    pairs: Sequence[Pair]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All of a benchmark. ``memory`` is of the end; ``asked`` by database role, for one order."""

    rounds: Sequence[Round]
    asked: Mapping[str, Asked]
    yardstick_transactions: int
    yardstick_statements: int
    memory: Mapping[str, Memory]

    @property
    def concurrencies(self) -> list[int]:
        return [pair.run.concurrency for pair in self.rounds[0].pairs]

    @property
    def roles(self) -> list[str]:
        return list(self.rounds[0].at_rest_ms)

    def over_rounds(self, concurrency: int, figure: Callable[[Pair], float]) -> Spread:
        return spread(
            figure(pair) for each in self.rounds for pair in each.pairs if pair.run.concurrency == concurrency
        )

    def at_rest(self, role: str) -> Spread:
        return spread(each.at_rest_ms[role] for each in self.rounds)


def cpu_of(role: str) -> Callable[[Pair], float]:
    """A role's CPU for an order, in milliseconds."""
    return lambda pair: pair.run.cpu_ms[role]


# --- Arithmetic -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    median: float
    lowest: float
    highest: float


def spread(values: Iterable[float]) -> Spread:
    known = list(values)
    return Spread(median=median(known), lowest=min(known), highest=max(known))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all values (0 to 1) does not exceed: nearest rank, nothing made up."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def used(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds by name between two readings; never below zero, as a reading is exact to a tick only."""
    return {name: max(0.0, after[name] - before[name]) for name in after}
