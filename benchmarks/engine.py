"""What the saga engine adds to an order: its four steps by the engine, and the same steps called straight, in turns."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.accounting import cpu_seconds
from benchmarks.errors import LoadFailed
from benchmarks.placing import LINES
from benchmarks.rounds import SETTLED
from benchmarks.system import PRICE, PROJECT, SKUS, System

TARGET_MS = 2.0
"""CPU milliseconds for an order, of our process and PostgreSQL's together."""
WARM_UP = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """CPU milliseconds for an order, either way: our process, and PostgreSQL."""

    engine_ms: float
    engine_postgres_ms: float
    straight_ms: float
    straight_postgres_ms: float

    @property
    def added_ms(self) -> float:
        return self.engine_ms + self.engine_postgres_ms - self.straight_ms - self.straight_postgres_ms


def measure_engine(system: System, *, rounds: int, orders: int, tell: Callable[[str], None]) -> list[Turn]:
    """One after the other, so many rounds. The system is running and stocked. Raises LoadFailed."""
    with system.relay_paused(), _steps(system) as ask:
        for way in ("engine", "straight"):
            ask(way, WARM_UP)
        found = []
        for number in range(1, rounds + 1):
            tell(f"The engine's share, round {number} of {rounds}")
            engine, straight = ask("engine", orders), ask("straight", orders)
            found.append(
                Turn(
                    engine_ms=engine[0],
                    engine_postgres_ms=engine[1],
                    straight_ms=straight[0],
                    straight_postgres_ms=straight[1],
                )
            )
    return found


def verdict(turns: list[Turn]) -> str:
    """The target in a sentence."""
    added = [turn.added_ms for turn in turns]
    return (
        f"The saga engine adds {median(added):.2f} ms of CPU to an order ({min(added):.2f}-{max(added):.2f}) "
        f"(target: less than {TARGET_MS:g})."
    )


def as_json(turns: list[Turn]) -> list[dict[str, Any]]:
    return [{**asdict(turn), "added_ms": turn.added_ms} for turn in turns]


@contextmanager
def _steps(system: System) -> Iterator[Callable[[str, int], tuple[float, float]]]:
    """Ask the process that takes the steps: CPU milliseconds for an order, its own and PostgreSQL's."""
    leaders = {"postgres": system.leaders()["postgres"]}
    user = system.customer().demand("GET", "/api/users/me")["id"]
    command = [sys.executable, "-m", "benchmarks.steps"]
    process = subprocess.Popen(  # noqa: S603 - our own program
        command, cwd=PROJECT, env=system.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said, hears = process.stdin, process.stdout

    def tell(line: str) -> str:
        said.write(line + "\n")
        said.flush()
        answer = hears.readline().strip()
        if not answer:
            raise LoadFailed(code=process.wait(), words="    what it said stands above")
        return answer

    def ask(way: str, orders: int) -> tuple[float, float]:
        before = cpu_seconds(leaders)["postgres"]
        own = float(tell(f"{way} {orders}"))
        time.sleep(SETTLED)
        postgres = cpu_seconds(leaders)["postgres"] - before
        return 1000 * own / orders, 1000 * postgres / orders

    try:
        tell(json.dumps({"user_id": user, "skus": SKUS[:LINES], "price": PRICE}))
        yield ask
    finally:
        said.close()
        process.wait()
