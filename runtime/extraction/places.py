"""A look at a database, as its administrator: which server it is, what stands in a schema, what one may do there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2

from runtime.databases.marks import Mark, read_mark
from runtime.databases.urls import without_password
from runtime.extraction.errors import MayNot, ReadOnly, Unreachable

CONNECT_TIMEOUT = 10
"""Seconds."""

_STABLE = {
    # A row as text is the same on both sides only where both write it the same way.
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "search_path": "pg_catalog",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """
    What an administrator sees of a schema's database. ``server`` and ``database`` tell whether two are the same.

    ``version`` is the server's, as a number: 180004. ``tables`` is 0 and ``size`` (bytes) too where there is no schema.
    """

    where: str
    server: str
    database: int
    version: int
    exists: bool
    tables: int
    size: int
    mark: Mark | None

    @property
    def major(self) -> int:
        return self.version // 10_000


@contextmanager
def session(url: str) -> Iterator[Any]:
    """A cursor whose statements each commit by themselves, and which writes values the same way everywhere."""
    try:
        connection = psycopg2.connect(url, connect_timeout=CONNECT_TIMEOUT)
    except psycopg2.OperationalError as error:
        raise Unreachable(where=without_password(url), reason=" ".join(str(error).split())) from error
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name, value in _STABLE.items():
                cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
            yield cursor
    except psycopg2.OperationalError as error:
        raise Unreachable(where=without_password(url), reason=" ".join(str(error).split())) from error
    finally:
        connection.close()


@contextmanager
def together(cursor: Any) -> Iterator[None]:
    """All statements inside take effect at once, or none of them."""
    cursor.execute("BEGIN")
    try:
        yield
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
    cursor.execute("COMMIT")


def look(url: str, schema: str) -> Place:
    """Raises Unreachable."""
    with session(url) as cursor:
        cursor.execute(
            "SELECT (SELECT system_identifier::text FROM pg_control_system()) || ' ' || pg_postmaster_start_time(),"
            " (SELECT oid FROM pg_database WHERE datname = current_database()),"
            " current_setting('server_version_num')::integer, to_regnamespace(%s) IS NOT NULL",
            [schema],
        )
        server, database, version, exists = cursor.fetchone()
        cursor.execute(
            "SELECT count(*), coalesce(sum(pg_table_size(oid)), 0)::bigint FROM pg_class"
            " WHERE relkind IN ('r', 'p', 'm') AND relnamespace = to_regnamespace(%s)",
            [schema],
        )
        tables, size = cursor.fetchone()
        return Place(
            where=without_password(url),
            server=server,
            database=database,
            version=version,
            exists=exists,
            tables=tables,
            size=size,
            mark=read_mark(cursor, schema),
        )


def require_rights(url: str) -> None:
    """That roles and schemas can be made here. Raises MayNot, ReadOnly or Unreachable."""
    with session(url) as cursor:
        cursor.execute(
            "SELECT current_user, pg_is_in_recovery(), rolsuper OR rolcreaterole,"
            " rolsuper OR has_database_privilege(current_database(), 'CREATE')"
            " FROM pg_roles WHERE rolname = current_user"
        )
        user, standby, makes_roles, makes_schemas = cursor.fetchone()
        if standby:
            raise ReadOnly(where=without_password(url))
        if not makes_roles:
            raise MayNot(user=user, what="make roles", where=without_password(url))
        if not makes_schemas:
            raise MayNot(user=user, what="make schemas", where=without_password(url))
