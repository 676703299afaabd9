"""
A table of the tests' own in a domain's schema, in which steps and handlers leave their mark: what happened how often.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from django.conf import settings
from django.db import connections

TABLE = "test_effect"
_COLUMNS = "id bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL, once text UNIQUE"


def leave(alias: str, name: str) -> None:
    """One more effect of this name, in the transaction that is open on the alias, if one is."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} (name) VALUES (%s)", [name])


def leave_once(alias: str, name: str) -> bool:
    """An effect that is done once for its name, as by an idempotency key. Whether it was done now."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} (name, once) VALUES (%s, %s) ON CONFLICT (once) DO NOTHING", [name, name])
        return bool(cursor.rowcount)


def seen(alias: str) -> list[str]:
    """All effects that were committed, in order."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT name FROM {TABLE} ORDER BY id")
        return [name for (name,) in cursor.fetchall()]


@contextmanager
def tables(*aliases: str) -> Iterator[None]:
    """The tables, for as long as this lasts."""
    for alias in aliases:
        _as_owner(alias, f"DROP TABLE IF EXISTS {TABLE}")
        _as_owner(alias, f"CREATE TABLE {TABLE} ({_COLUMNS})")
    try:
        yield
    finally:
        connections.close_all()
        for alias in aliases:
            _as_owner(alias, f"DROP TABLE {TABLE}")


def _as_owner(alias: str, statement: str) -> None:
    connection = psycopg2.connect(settings.DATABASE_OWNERS[alias])
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '10s'")
            cursor.execute(statement)
    finally:
        connection.close()
