"""
How many events relay and consumer carry through RabbitMQ, and whether a long backlog slows them down.

The shortest backlog is drained some times before the longer ones and as often after them: it takes two seconds, so that
one alone tells little, and the tables that a long one leaves behind are larger for both.

Events are put into payments' outbox while the relay is stopped, each of an aggregate of its own; orders, which
subscribes to them, finds no order to wake, so that what is measured is the way and not the effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.accounting import cpu_seconds
from benchmarks.errors import NotDrained
from benchmarks.figures import used
from benchmarks.rabbitmq import RabbitMQ, is_installed
from benchmarks.system import System

TARGET_RATE = 500.0
"""Events a second, relayed and handled, on two cores."""
SLOWEST = 50.0
"""A rate below this is taken for a standstill."""
TIMES = 3
"""How often the shortest backlog is drained before the longer ones, and after them."""
SHORTEST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
"""Seconds between two looks at how many are left."""

_PUT = """
INSERT INTO payments.messaging_outboxmessage
    (event_id, event_type, version, exchange, routing_key, subject, sequence, data, wanted)
SELECT uuidv7(), 'PaymentCaptured', 1, 'payments', 'payment.captured', uuidv7()::text, 1,
       jsonb_build_object('paymentId', uuidv7(), 'orderId', uuidv7(),
                          'amount', jsonb_build_object('amount', '12.50', 'currency', 'GBP')), true
FROM generate_series(1, {count})
"""
# As each transaction does that publishes.
_NUDGE = "NOTIFY payments_outbox"
_UNSENT = "SELECT count(*) FROM payments.messaging_outboxmessage WHERE published_at IS NULL AND wanted"
_HANDLED = "SELECT count(*) FROM orders.messaging_inboxmessage WHERE handled_at IS NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """
    Events a second: sent and confirmed; and sent, received, handled. ``cpu_ms`` is for one event, by role: unlike the
    rates, it hardly depends on what else the machine does.
    """

    events: int
    relayed: float
    carried: float
    cpu_ms: Mapping[str, float]

    @property
    def all_ms(self) -> float:
        return sum(self.cpu_ms.values())


def measure_events(folder: Path, sizes: Sequence[int], *, tell: Callable[[str], None]) -> list[Backlog]:
    """Each backlog in the order of its turn. None where RabbitMQ is not installed. Raises BenchmarkFailed."""
    if not is_installed():
        return []
    broker = RabbitMQ()
    try:
        tell("Starting everything on RabbitMQ")
        broker.start()
        system = System(folder, broker_url=broker.url)
        try:
            system.start()
            return [_backlog(system, broker, size, tell) for size in turns(sizes)]
        finally:
            system.stop()
            system.clean()
    finally:
        broker.end()


def turns(sizes: Sequence[int]) -> list[int]:
    """The shortest some times, the longer ones once each, and the shortest again."""
    shortest, *longer = sorted(set(sizes))
    return [*[shortest] * TIMES, *longer, *[shortest] * TIMES] if longer else [shortest] * TIMES


def _backlog(system: System, broker: RabbitMQ, size: int, tell: Callable[[str], None]) -> Backlog:
    tell(f"A backlog of {size:,} events")
    handled = _count(system, _HANDLED)
    with system.relay_paused():
        system.ask(_PUT.format(count=size), _NUDGE)
    leaders = {**system.leaders(), "rabbitmq": [broker.pid]}
    before, began = cpu_seconds(leaders), time.monotonic()
    relayed = _until_none(lambda: _count(system, _UNSENT), system, began, size)
    carried = _until_none(lambda: handled + size - _count(system, _HANDLED), system, began, size)
    cpu_ms = {role: 1000 * seconds / size for role, seconds in used(before, cpu_seconds(leaders)).items()}
    return Backlog(events=size, relayed=size / relayed, carried=size / carried, cpu_ms=cpu_ms)


def _until_none(left: Callable[[], int], system: System, began: float, size: int) -> float:
    """Seconds since it began. Asked ever more often towards the end, since to count 100,000 rows costs CPU as well."""
    limit = 30 + size / SLOWEST
    while waiting := left():
        took = time.monotonic() - began
        if took > limit:
            raise NotDrained(limit=limit, left=f"{waiting} of {size} events", logs=system.folder / "log")
        expected = took * waiting / max(1, size - waiting)
        time.sleep(min(LONGEST_PAUSE, max(SHORTEST_PAUSE, min(took, expected) / 2)))
    return time.monotonic() - began


def _count(system: System, question: str) -> int:
    return int(system.ask(question)[0][0])


def typical(backlogs: Sequence[Backlog]) -> dict[int, float]:
    """By size, the shortest first: events relayed and handled a second, the median of its turns."""
    rates: dict[int, list[float]] = {}
    for each in backlogs:
        rates.setdefault(each.events, []).append(each.carried)
    return {size: median(rates[size]) for size in sorted(rates)}


def verdict(backlogs: Sequence[Backlog]) -> list[str]:
    """The two targets, each in a sentence; what is missing where they could not be measured."""
    if not backlogs:
        return [
            "RabbitMQ is not installed, so that events were not measured (Debian: apt-get install rabbitmq-server)."
        ]
    rates = typical(backlogs)
    lines = [
        f"Relay and consumer carry {rate:.0f} events a second of a backlog of {size:,} (target: at least "
        f"{TARGET_RATE:.0f}), at {median(each.all_ms for each in backlogs if each.events == size):.2f} ms of CPU each."
        for size, rate in rates.items()
    ]
    shortest, longest = next(iter(rates.values())), next(reversed(rates.values()))
    return [*lines, f"The longest backlog drains at {longest / shortest:.2f} of the shortest one's rate (target: 1)."]


def as_json(backlogs: Sequence[Backlog]) -> list[dict[str, Any]]:
    return [asdict(each) for each in backlogs]
