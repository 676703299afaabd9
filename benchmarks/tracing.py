"""
What telemetry adds to an order, on one system and in turns: no trace recorded, one in ten, each.

The client says in its ``traceparent`` which orders are recorded, so that the same processes do all three. CPU of every
process of the system, until the last event has had its effect. What is left where no trace is recorded (a look at a
context variable wherever there might have been a span) cannot be switched off; it is measured by itself, in a process
of its own, for as many spans as an order has.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.accounting import cpu_seconds
from benchmarks.errors import LoadFailed
from benchmarks.figures import used
from benchmarks.placing import place
from benchmarks.rounds import FIRST, SETTLED
from benchmarks.system import PROJECT, System
from runtime.embedded import state

NONE, TENTH, ALL = 0.0, 0.1, 1.0
SHARES = (NONE, TENTH, ALL)
TARGET = 5.0
"""Percent of an order's CPU, with one trace in ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """CPU milliseconds for an order, all processes together."""

    share: float
    cpu_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """
    ``spans``: of one order's trace. ``looking_ms``: what those cost an order where they are not recorded, and
    ``recorded_ms`` where they are, with their sending: both by themselves, in a process of its own.
    """

    rounds: list[list[Turn]]
    spans: int
    looking_ms: float
    recorded_ms: float

    def typical(self, share: float) -> float:
        return median(turn.cpu_ms for turns in self.rounds for turn in turns if turn.share == share)

    def added_percent(self, share: float) -> float:
        """
        Of an order without any telemetry: the median of what each round says by itself, as a busy moment meets all of
        a round, and the looking besides.
        """
        found = []
        for turns in self.rounds:
            by_share = {turn.share: turn.cpu_ms for turn in turns}
            bare = by_share[NONE] - self.looking_ms
            found.append(100 * (by_share[share] - bare) / bare)
        return median(found)


def measure_tracing(system: System, *, rounds: int, orders: int, tell: Callable[[str], None]) -> Tracing:
    """For each round all three shares, one order at a time. The system has its products. Raises BenchmarkFailed."""
    place(system, 1, orders=min(orders, FIRST), traced=ALL)
    found = []
    for number in range(1, rounds + 1):
        turns = []
        # Each is first as often as it is last.
        for share in SHARES[number % 3 :] + SHARES[: number % 3]:
            tell(f"{share:.0%} of traces recorded, round {number} of {rounds}")
            turns.append(_turn(system, share, orders))
        found.append(turns)
    return Tracing(rounds=found, **_by_themselves(system))


def _turn(system: System, share: float, orders: int) -> Turn:
    leaders = system.leaders()
    readings: list[dict[str, float]] = []

    def read() -> None:
        system.drain()
        # The last batch of spans is sent a second after the last span.
        time.sleep(SETTLED + 1.0)
        readings.append(cpu_seconds(leaders))

    place(system, 1, orders=orders, begin=read, traced=share)
    read()
    return Turn(share=share, cpu_ms=1000 * sum(used(*readings).values()) / orders)


def _by_themselves(system: System) -> dict[str, Any]:
    """What benchmarks.spans says, in a process that has Django and the settings. Raises LoadFailed."""
    environ = {**system.environ, "CACHE_URL": str(system.run["cache"]), "TRACES_SAMPLE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.spans"],
        cwd=PROJECT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LoadFailed(code=done.returncode, words=done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def verdict(tracing: Tracing) -> str:
    tenth, every = tracing.added_percent(TENTH), tracing.added_percent(ALL)
    return (
        f"With one trace in ten, telemetry adds {tenth:.1f} % to an order of {tracing.typical(NONE):.1f} ms "
        f"(the target is less than {TARGET:g} %: {'met' if tenth < TARGET else 'missed'}); with each, {every:.1f} %. "
        f"A trace has {tracing.spans} spans; by themselves they cost {tracing.recorded_ms:.2f} ms recorded and sent, "
        f"and {tracing.looking_ms:.2f} ms where they are not recorded."
    )


def as_json(tracing: Tracing) -> dict[str, Any]:
    return {**asdict(tracing), "added_percent": {str(share): tracing.added_percent(share) for share in SHARES}}


def main() -> None:
    """These figures alone: ``python -m benchmarks.tracing`` (ROUNDS=3 ORDERS=300)."""
    rounds, orders = int(os.environ.get("ROUNDS") or 3), int(os.environ.get("ORDERS") or 300)
    system = System(state.state_dir(os.environ) / "bench-tracing")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        system.start()
        system.stock_up()
        found = measure_tracing(system, rounds=rounds, orders=orders, tell=lambda what: None)
    finally:
        system.stop()
        system.clean()
    for turns in found.rounds:
        sys.stdout.write("  ".join(f"{turn.share:.0%}: {turn.cpu_ms:.2f} ms" for turn in turns) + "\n")
    sys.stdout.write(verdict(found) + "\n")


if __name__ == "__main__":
    main()
