"""What the database is asked for an order, read out of the server's own log: nothing in the product has to count."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.system import System

Kind = Literal["read", "write", "transaction", "savepoint"]

_PREFIX = "%u|%p|"
_LINE = re.compile(r"(?P<role>\w*)\|(?P<backend>\d+)\|(?P<level>[A-Z]+):  (?P<text>.*)", re.DOTALL)
_STATEMENT = re.compile(r"(?:statement|execute [^:]*): (?P<sql>.*)", re.DOTALL)
_WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\s+[\w\".]", re.IGNORECASE)
_KINDS: dict[str, Kind] = {
    "BEGIN": "transaction",
    "COMMIT": "transaction",
    "ROLLBACK": "transaction",
    "SAVEPOINT": "savepoint",
    "RELEASE": "savepoint",
    "SELECT": "read",
    "SET": "read",
}
_SETTLED = 0.3
"""Seconds until every backend has heard of a changed setting, and has written what it was asked before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """``role`` is the database role that sent it, ``backend`` the server's process that ran it."""

    role: str
    backend: int
    sql: str

    @property
    def kind(self) -> Kind:
        first = self.sql.split(maxsplit=1)[0].upper().rstrip(";")
        return _KINDS.get(first) or ("write" if _WRITES.search(self.sql) else "read")

    @property
    def ends_transaction(self) -> bool:
        return self.sql.split(maxsplit=1)[0].upper().rstrip(";") in {"COMMIT", "ROLLBACK"}


@dataclass(slots=True, kw_only=True)
class Log:
    """Filled when the recording has ended."""

    statements: tuple[Statement, ...] = ()
    seconds: float = 0.0


@contextmanager
def recorded(system: System) -> Iterator[Log]:
    """All that the server is asked inside. It costs time: nothing is measured meanwhile."""
    path = system.folder / "log" / "postgres.log"
    kept = Log()
    try:
        system.ask(
            f"ALTER SYSTEM SET log_line_prefix = '{_PREFIX}'",
            "ALTER SYSTEM SET log_statement = 'all'",
            "SELECT pg_reload_conf()",
        )
        time.sleep(_SETTLED)
        start, since = path.stat().st_size, time.monotonic()
        yield kept
        kept.seconds = time.monotonic() - since
        time.sleep(_SETTLED)
        kept.statements = tuple(read_log(_text_from(path, start)))
    finally:
        system.ask("ALTER SYSTEM RESET log_statement", "ALTER SYSTEM RESET log_line_prefix", "SELECT pg_reload_conf()")


def _text_from(path: Path, start: int) -> str:
    with path.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")


def read_log(text: str) -> Iterator[Statement]:
    """The statements in a server's log, in order. A line that begins with a tab goes on with the one before."""
    for entry in re.split(r"\n(?!\t)", text):
        line = _LINE.fullmatch(entry)
        said = _STATEMENT.fullmatch(line["text"]) if line and line["level"] == "LOG" else None
        if line and said:
            sql = said["sql"].replace("\n\t", "\n").strip()
            yield Statement(role=line["role"], backend=int(line["backend"]), sql=sql)


# --- How many for an order ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """For one order: reads, writes, BEGIN and COMMIT, savepoints and their release; and transactions that ended."""

    reads: float
    writes: float
    transactions: float
    savepoints: float
    commits: float

    @property
    def statements(self) -> float:
        return self.reads + self.writes + self.transactions + self.savepoints


def per_order(busy: Log, rest: Log, *, orders: int, roles: Sequence[str]) -> dict[str, Asked]:
    """By role, without what is asked all the time anyway (``rest``)."""
    counted, at_rest = _count(busy.statements), _count(rest.statements)
    share = busy.seconds / rest.seconds

    def of(role: str, what: str) -> float:
        return max(0.0, counted[role, what] - at_rest[role, what] * share) / orders

    return {
        role: Asked(
            reads=of(role, "read"),
            writes=of(role, "write"),
            transactions=of(role, "transaction"),
            savepoints=of(role, "savepoint"),
            commits=of(role, "commit"),
        )
        for role in roles
    }


def _count(statements: Sequence[Statement]) -> Counter[tuple[str, str]]:
    """How many of each kind by role; as ``commit`` each transaction that ended, be it of a single statement."""
    counted: Counter[tuple[str, str]] = Counter()
    for transaction in transactions(statements):
        for statement in transaction:
            counted[statement.role, statement.kind] += 1
        counted[transaction[-1].role, "commit"] += 1
    return counted


def transactions(statements: Sequence[Statement]) -> Iterator[list[Statement]]:
    """In the order in which they ended: from BEGIN to COMMIT, or one statement by itself."""
    opened: dict[int, list[Statement]] = {}
    for statement in statements:
        if statement.kind == "transaction" and not statement.ends_transaction:
            opened[statement.backend] = [statement]
        elif statement.backend not in opened:
            yield [statement]
        else:
            opened[statement.backend].append(statement)
            if statement.ends_transaction:
                yield opened.pop(statement.backend)
