"""Whether two schemas hold the same: every table's rows, in whatever order they lie, and every sequence's place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from runtime.extraction.errors import ExtractionError
from runtime.extraction.places import session

_ROWS = """
SELECT count(*), coalesce(sum(('x' || substr(hash, 1, 16))::bit(64)::bigint::numeric), 0),
       coalesce(sum(('x' || substr(hash, 17, 16))::bit(64)::bigint::numeric), 0)
FROM (SELECT encode(sha256(convert_to(ROW({columns})::text, 'UTF8')), 'hex') AS hash FROM {table}) AS rows
"""
"""
A sum does not care for the order of its terms. Each row counts with 128 bits of its SHA-256, so that equal sums of
different rows are no accident that happens.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Of a table: its rows and their checksum over all columns. Of a sequence: no rows and its place."""

    rows: int
    checksum: str


type Fingerprints = Mapping[str, Fingerprint]
"""By the table's or sequence's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What two schemas hold, side by side; None where one has no such table."""

    source: Fingerprints
    target: Fingerprints

    @property
    def names(self) -> list[str]:
        return sorted({*self.source, *self.target})

    @property
    def different(self) -> list[str]:
        return [name for name in self.names if self.source.get(name) != self.target.get(name)]

    @property
    def rows(self) -> int:
        return sum(found.rows for found in self.source.values())


class NotEqual(ExtractionError):
    """What arrived is not what left: {differences}. Nothing was switched."""

    def __init__(self, compared: Compared) -> None:
        super().__init__(differences=", ".join(compared.different))
        self.compared = compared


def compare(
    source_url: str, target_url: str, schema: str, *, done: Callable[[str], None] = lambda name: None
) -> Compared:
    """
    Read both sides whole, at the same time. ``done`` is called twice for each table, from two threads.

    What is compared has to stand still. Raises Unreachable.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        sides = [pool.submit(fingerprints, url, schema, done=done) for url in (source_url, target_url)]
        source, target = (side.result() for side in sides)
    return Compared(source=source, target=target)


def fingerprints(url: str, schema: str, *, done: Callable[[str], None] = lambda name: None) -> Fingerprints:
    """Raises Unreachable."""
    found = {}
    with session(url) as cursor:
        for name, columns in _tables(cursor, schema).items():
            found[name] = _of_table(cursor, schema, name, columns)
            done(name)
        for name in _sequences(cursor, schema):
            found[name] = _of_sequence(cursor, schema, name)
    return found


def _tables(cursor: Any, schema: str) -> dict[str, list[str]]:
    """The columns of each, in their order."""
    cursor.execute(
        "SELECT relname::text, coalesce(array_agg(attname::text ORDER BY attnum) FILTER (WHERE attname IS NOT NULL),"
        " '{}') FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped"
        " WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'm') GROUP BY relname ORDER BY relname",
        [schema],
    )
    return dict(cursor.fetchall())


def _of_table(cursor: Any, schema: str, name: str, columns: list[str]) -> Fingerprint:
    parts = {
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "table": sql.Identifier(schema, name),
    }
    cursor.execute(sql.SQL(_ROWS).format(**parts))
    rows, first, second = cursor.fetchone()
    # The columns' names too: the same values under other names are not the same.
    return Fingerprint(rows=rows, checksum=f"{int(first):x}.{int(second):x} {','.join(columns)}")


def _sequences(cursor: Any, schema: str) -> list[str]:
    cursor.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'S' ORDER BY 1",
        [schema],
    )
    return [name for (name,) in cursor.fetchall()]


def _of_sequence(cursor: Any, schema: str, name: str) -> Fingerprint:
    cursor.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name)))
    place, called = cursor.fetchone()
    return Fingerprint(rows=0, checksum=f"at {place}" if called else f"before {place}")
