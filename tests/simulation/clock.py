"""
Time that passes only where the run says so: one clock for the databases and for the processes.

``clock_now()`` of each schema and ``time.monotonic`` of what measures leases and deadlines read it. It stands still
while an actor works and moves between two turns, so that no wall clock decides anything.
"""

from __future__ import annotations

import datetime as dates
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg2 import extensions

from runtime.databases.clock import CLOCK_FUNCTION

START = 1_900_000_000
TICK = 0.001

_STANDING = """
CREATE OR REPLACE FUNCTION {schema}.clock_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT 'epoch'::timestamptz + pg_sequence_last_value({sequence}::oid::regclass) * interval '1 microsecond'
$$
"""


class Clock:
    """``now`` is in seconds since the run began. Stands for the module ``time`` too, where a run measures it."""

    def __init__(self, admin: extensions.connection) -> None:
        self._admin = admin
        self.now = 0.0
        self.advance(0.0)

    def advance(self, seconds: float) -> None:
        self.now = round(self.now + seconds, 6)
        with self._admin.cursor() as cursor:
            cursor.execute("SELECT setval('public.simulated_time', %s)", [round((START + self.now) * 1_000_000)])

    def date(self) -> dates.datetime:
        return dates.datetime.fromtimestamp(START, dates.UTC) + dates.timedelta(seconds=self.now)

    # --- As the module time -----------------------------------------------------------------------------------------

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return round((START + self.now) * 1_000_000_000)


@contextmanager
def standing_clock(admin: extensions.connection, schemas: Sequence[str]) -> Iterator[None]:
    """While this lasts, the time in this database is that of whichever Clock was advanced last."""
    with admin.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("CREATE UNLOGGED SEQUENCE public.simulated_time MINVALUE 0")
        cursor.execute("GRANT SELECT ON SEQUENCE public.simulated_time TO PUBLIC")
        cursor.execute("SELECT 'public.simulated_time'::regclass::oid")
        (sequence,) = cursor.fetchone() or (0,)
        for schema in schemas:
            cursor.execute(_STANDING.format(schema=schema, sequence=sequence))
    try:
        yield
    finally:
        with admin.cursor() as cursor:
            for schema in schemas:
                cursor.execute(CLOCK_FUNCTION.format(schema=schema))
            cursor.execute("DROP SEQUENCE public.simulated_time")


class Noise:
    """Stands for the module ``os`` where ids are made, and for ``random`` where the product waits with a jitter."""

    def __init__(self, dice: Any) -> None:
        self.urandom = dice.noise
        self.uniform = dice.uniform
