"""
What one order costs in one process group and in four services, in turns: the same code, the same machine, one run.

CPU of every process that belongs to either: the gateway, the web servers, workers and relays, their PostgreSQL servers
and Valkey. An order is counted until its last event is known to have had its effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg2

from benchmarks.accounting import cpu_seconds, memory
from benchmarks.errors import NotDrained
from benchmarks.figures import percentile, used
from benchmarks.placing import place
from benchmarks.rounds import FIRST, SETTLED
from benchmarks.system import DRAIN_LIMIT, System

TOGETHER = ""
APART = "users|inventory|payments|orders"
NAMES = {TOGETHER: "one process group", APART: "four services"}

_LEFT = """
SELECT (SELECT count(*) FROM messaging_outboxmessage WHERE wanted AND settled_at IS NULL)
     + (SELECT count(*) FROM messaging_inboxmessage WHERE handled_at IS NULL)
     + (SELECT count(*) FROM saga_sagarun WHERE state IN ('running', 'compensating'))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """CPU milliseconds for an order by role, milliseconds until half of the orders were answered, bytes by role."""

    topology: str
    cpu_ms: Mapping[str, float]
    p50_ms: float
    memory_bytes: Mapping[str, int | None]

    @property
    def all_ms(self) -> float:
        return sum(self.cpu_ms.values())


def measure_apart(folder: Path, *, rounds: int, orders: int, tell: Callable[[str], None]) -> list[list[Side]]:
    """For each round a side of each kind, one order at a time. Both run all the time. Raises BenchmarkFailed."""
    systems = {
        TOGETHER: System(folder.with_name(f"{folder.name}-together")),
        APART: System(folder.with_name(f"{folder.name}-apart"), topology=APART),
    }
    with ExitStack() as stack:
        for topology, system in systems.items():
            tell(f"Starting {NAMES[topology]}")
            stack.callback(system.clean)
            stack.callback(system.stop)
            system.start()
            system.stock_up()
            place(system, 1, orders=min(orders, FIRST))
            _drain(system)
        found = []
        for number in range(1, rounds + 1):
            sides = []
            for topology, system in systems.items():
                tell(f"An order in {NAMES[topology]}, round {number} of {rounds}")
                sides.append(_side(system, topology, orders))
            found.append(sides)
        return found


def _side(system: System, topology: str, orders: int) -> Side:
    leaders = system.leaders()
    readings: list[dict[str, float]] = []

    def read() -> None:
        _drain(system)
        time.sleep(SETTLED)
        readings.append(cpu_seconds(leaders))

    outcome = place(system, 1, orders=orders, begin=read)
    read()
    return Side(
        topology=topology,
        cpu_ms={role: 1000 * seconds / orders for role, seconds in used(*readings).items()},
        p50_ms=1000 * percentile(outcome.latencies, 0.50),
        memory_bytes={role: each.pss for role, each in memory(leaders).items()},
    )


def _drain(system: System) -> None:
    """Each domain is asked by itself: they may be on servers of their own. Raises NotDrained."""
    end = time.monotonic() + DRAIN_LIMIT
    with ExitStack() as stack:
        cursors = []
        for url in system.run["databases"].values():
            connection = psycopg2.connect(url)
            stack.callback(connection.close)
            connection.autocommit = True
            cursors.append(connection.cursor())
        while left := sum(_count(cursor) for cursor in cursors):
            if time.monotonic() > end:
                raise NotDrained(limit=DRAIN_LIMIT, left=f"{left} events or orders", logs=system.folder / "log")
            time.sleep(0.1)


def _count(cursor: Any) -> int:
    cursor.execute(_LEFT)
    return int(cursor.fetchone()[0])


def typical(rounds: list[list[Side]], topology: str, figure: Callable[[Side], float]) -> float:
    """The median over the rounds."""
    return median(figure(side) for sides in rounds for side in sides if side.topology == topology)


def verdict(rounds: list[list[Side]]) -> str:
    together, apart = (typical(rounds, each, lambda side: side.all_ms) for each in (TOGETHER, APART))
    return (
        f"An order costs {together:.1f} ms of CPU in one process group and {apart:.1f} ms in four services: "
        f"{apart / together:.2f} times as much."
    )


def as_json(rounds: list[list[Side]]) -> list[list[dict[str, Any]]]:
    return [[asdict(side) for side in sides] for sides in rounds]
