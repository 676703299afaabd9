"""One measurement after the other, in turns: ours, the yardstick's, ours, the yardstick's, so that noise meets both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from benchmarks.accounting import cpu_seconds, memory
from benchmarks.figures import Figures, Pair, Round, Run, Written, percentile, used
from benchmarks.placing import LINES, place
from benchmarks.statements import Asked, per_order, recorded
from benchmarks.system import DOMAINS, SKUS, System
from benchmarks.yardstick import Yardstick, names_by_role, script_of
from config.demonstration import Client

FIRST = 100
"""Orders before anything is measured."""
REST = 3.0
"""Seconds."""
COUNTED = 20
"""Orders whose statements are counted."""
SETTLED = 0.3
"""Seconds until the last acknowledgement has reached the broker, and ended backends have been reaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    rounds: int
    orders: int
    concurrencies: tuple[int, ...]

    @property
    def steps(self) -> int:
        """Orders in all, ours and the yardstick's: what a progress bar counts."""
        return self.rounds * len(self.concurrencies) * self.orders * 2


type Tell = Callable[[str, int], None]
"""Told what happens now, and how many orders that added."""


def measure(system: System, wanted: Wanted, *, tell: Tell) -> Figures:
    """All rounds on a system that was just started. Raises BenchmarkFailed."""
    tell("Stocking up", 0)
    system.stock_up()
    place(system, max(wanted.concurrencies), orders=min(wanted.orders, FIRST))
    tell("Counting statements", 0)
    asked = _asked(system)
    yardstick = _yardstick(system)
    rounds = []
    for number in range(1, wanted.rounds + 1):
        where = f"Round {number} of {wanted.rounds}"
        tell(f"{where}: at rest", 0)
        at_rest = _rest(system)
        pairs = [_pair(system, yardstick, each, wanted.orders, where, tell) for each in wanted.concurrencies]
        rounds.append(Round(at_rest_ms=at_rest, pairs=pairs))
    return Figures(
        rounds=rounds,
        asked=asked,
        yardstick_transactions=yardstick.script.transactions,
        yardstick_statements=yardstick.script.statements,
        memory=memory(system.leaders()),
    )


# --- Before ---------------------------------------------------------------------------------------------------------


def _asked(system: System) -> dict[str, Asked]:
    with recorded(system) as rest:
        time.sleep(REST)
    client = system.customer()
    with recorded(system) as busy:
        for _ in range(COUNTED):
            _place_one(client)
        system.drain()
    return per_order(busy, rest, orders=COUNTED, roles=DOMAINS)


def _yardstick(system: System) -> Yardstick:
    """Made from one order that is placed while nothing else happens."""
    client = system.customer()
    system.drain()
    with recorded(system) as log:
        placed = _place_one(client)
        system.drain()
    script = script_of(
        log.statements,
        order=UUID(placed["id"]),
        user=UUID(placed["userId"]),
        names=names_by_role(system, DOMAINS),
    )
    yardstick = Yardstick(system, script)
    yardstick.copy_tables()
    return yardstick


def _place_one(client: Client) -> dict[str, Any]:
    items = [{"sku": sku, "quantity": 1} for sku in SKUS[:LINES]]
    return client.demand("POST", "/api/orders", {"items": items, "paymentMethod": "pm_card_visa"}, key=str(uuid4()))


# --- A round --------------------------------------------------------------------------------------------------------


def _rest(system: System) -> dict[str, float]:
    leaders = system.leaders()
    before, since = cpu_seconds(leaders), time.monotonic()
    time.sleep(REST)
    seconds = time.monotonic() - since
    return {role: 1000 * cpu / seconds for role, cpu in used(before, cpu_seconds(leaders)).items()}


def _pair(system: System, yardstick: Yardstick, concurrency: int, orders: int, where: str, tell: Tell) -> Pair:
    tell(f"{where}: {concurrency} at once", 0)
    run = _run(system, concurrency, orders=orders, tell=lambda more: tell(f"{where}: {concurrency} at once", more))
    tell(f"{where}: pgbench, {concurrency} at once", 0)
    written = _write(system, yardstick, concurrency, orders=orders)
    tell(f"{where}: pgbench, {concurrency} at once", orders)
    return Pair(run=run, yardstick=written)


def _run(system: System, concurrency: int, *, orders: int, tell: Callable[[int], None]) -> Run:
    leaders = system.leaders()
    readings: list[dict[str, float]] = []

    def read() -> None:
        system.drain()
        time.sleep(SETTLED)
        readings.append(cpu_seconds(leaders))

    outcome = place(system, concurrency, orders=orders, tell=tell, begin=read)
    read()
    cpu = used(*readings)
    return Run(
        concurrency=concurrency,
        orders=orders,
        seconds=outcome.seconds,
        p50_ms=1000 * percentile(outcome.latencies, 0.50),
        p99_ms=1000 * percentile(outcome.latencies, 0.99),
        cpu_ms={role: 1000 * seconds / orders for role, seconds in cpu.items()},
        statuses=outcome.statuses,
    )


def _write(system: System, yardstick: Yardstick, concurrency: int, *, orders: int) -> Written:
    """A long pass less a short one: what it costs to connect, and to read the catalogue once, falls out."""
    leaders = {"postgres": system.leaders()["postgres"]}
    totals = []
    with system.relay_paused():
        for wanted in (concurrency, concurrency + orders):
            before = cpu_seconds(leaders)
            done = yardstick.write(wanted, concurrency=concurrency)
            time.sleep(SETTLED)
            totals.append((used(before, cpu_seconds(leaders))["postgres"], done))
    (short_cpu, short), (long_cpu, long) = totals
    more = long.orders - short.orders
    return Written(
        orders=more,
        seconds=long.seconds * more / long.orders,
        postgres_ms=1000 * (long_cpu - short_cpu) / more,
        client_ms=1000 * (long.client_cpu - short.client_cpu) / more,
    )
