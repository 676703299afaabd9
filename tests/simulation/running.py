"""What a run needs around it: threads that are connected, and a database whose time stands still."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
from django.db import connections

from tests.simulation import play
from tests.simulation.clock import standing_clock
from tests.simulation.stage import Slot
from tests.simulation.wires import tap

SLOTS = 7
DOMAINS = ("users", "inventory", "payments", "orders")


@contextmanager
def simulation() -> Iterator[Callable[[int], play.Result]]:
    """Call what this gives with a seed, as often as wanted, in the thread that it was given to."""
    admin = psycopg2.connect(os.environ["DATABASE_URL"])
    admin.autocommit = True
    slots: list[Slot] = []
    try:
        _hurry("off")
        with standing_clock(admin, DOMAINS):
            slots += [Slot(number, _connect) for number in range(SLOTS)]
            yield lambda seed: play.run(seed, slots, admin)
            play.empty(admin)
    finally:
        _hurry("DEFAULT")
        for slot in slots:
            slot.close()
        admin.close()


def _connect() -> None:
    for domain in DOMAINS:
        tap(connections[domain])


def _hurry(setting: str) -> None:
    """Nobody waits for a disk: what is committed has to outlive a process here, and not a machine."""
    for domain in DOMAINS:
        with connections[domain].cursor() as cursor:
            cursor.execute(f"SET synchronous_commit = {setting}")
