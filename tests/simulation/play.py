"""A run from outside: the databases are emptied, the clock, dice, provider and wires are put in place, and off."""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from psycopg2 import extensions

import contracts._base
import runtime.calls.context
import runtime.messaging.inbox
import runtime.messaging.relay
import runtime.saga.engine
import runtime.saga.run
from apps.payments import service as payments
from runtime.calls import routing
from runtime.telemetry import crashpoints
from tests.simulation import checks, wires
from tests.simulation.clock import Noise
from tests.simulation.stage import Slot
from tests.simulation.world import World


@dataclass(frozen=True)
class Result:
    """
    ``broken`` is empty where all went well. ``met`` counts faults, ``died`` the deaths at each crash point, and
    ``ends`` how the orders ended.
    """

    seed: int
    broken: list[str]
    trace: list[str]
    met: Counter[str]
    died: Counter[str]
    ends: Counter[str]
    seconds: float


def run(seed: int, slots: list[Slot], admin: extensions.connection) -> Result:
    """The databases are emptied first, and left as the run left them."""
    began = time.perf_counter()
    empty(admin)
    world = World(seed, slots, admin)
    with _in_place(world):
        try:
            world.perform()
            world.make_peace()
            broken = [*world.violations, *checks.broken(world)]
            ends = checks.ends()
        except Exception:  # whatever it was, this seed leads to it
            broken = [*world.violations, world.trace.plain(traceback.format_exc())]
            ends = Counter()
        finally:
            world.end()
    return Result(seed, broken, world.trace.lines, world.dice.met, world.died, ends, time.perf_counter() - began)


_TABLES = """
SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables
WHERE schemaname = ANY(%s) AND tablename <> 'django_migrations' ORDER BY 1
"""


def empty(admin: extensions.connection) -> None:
    """All rows of all domains are gone."""
    with admin.cursor() as cursor:
        cursor.execute(_TABLES, [["users", "inventory", "payments", "orders"]])
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(" UNION ALL ".join(f"(SELECT '{name}' FROM {name} LIMIT 1)" for name in tables))
        if used := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"TRUNCATE {', '.join(used)} RESTART IDENTITY CASCADE")


@contextmanager
def _in_place(world: World) -> Iterator[None]:
    """The run's clock, dice, provider and wires, where the product looks for its own."""
    noise = Noise(world.dice)
    replaced: list[tuple[Any, str, Any]] = [
        (contracts._base, "time", world.clock),
        (contracts._base, "os", noise),
        (runtime.calls.context, "time", world.clock),
        (runtime.saga.run, "time", world.clock),
        (runtime.messaging.relay, "time", world.clock),
        (runtime.saga.engine, "random", noise),
        (runtime.messaging.inbox, "random", noise),
        (settings, "SERVICES", wires.SERVICES),
        (settings, "PAYMENT_PROVIDER", "testers"),
        (settings, "PAYMENT_CAPTURE", world.dice.pick(("order", "shipment"), (2, 1))),
        (settings, "PROVIDER_WAITERS", 50),
        (payments, "GATEWAYS", {"testers": lambda: world.provider}),
    ]
    before = [(where, name, getattr(where, name)) for where, name, _ in replaced]
    for where, name, value in replaced:
        setattr(where, name, value)
    payments.SERVICE.__dict__.pop("_provider", None)
    routing._client.cache_clear()
    listener = crashpoints.listen(world.at_crashpoint)
    wires.Wire.world = world
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        wires.Wire.world = None
        crashpoints.listen(listener)
        for where, name, value in before:
            setattr(where, name, value)
        payments.SERVICE.__dict__.pop("_provider", None)
        routing._client.cache_clear()
