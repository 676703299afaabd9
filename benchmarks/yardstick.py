"""
The yardstick: PostgreSQL writing the rows of an order, for pgbench instead of for us.

The writes are those that the server's log shows for one real order, in their transactions, with new ids for each run;
the tables are a copy of ours in a second database of the same server. No reads, no framework, no broker.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from benchmarks.errors import OrderNotSeen, ProgramFailed
from benchmarks.statements import Statement, transactions
from benchmarks.system import DOMAINS, SKUS, System
from runtime.embedded.binaries import postgres_tree
from runtime.embedded.postgres import DATABASE

COPY = "yardstick"

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SKU = re.compile(r"BENCH-(\d{3})")
_FIRST_NUMBER = 10_000_000
"""Eight digits, as the first part of an id has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """``text`` is a pgbench script that writes one order, in so many transactions of so many statements in all."""

    text: str
    transactions: int
    statements: int


def script_of(
    statements: Sequence[Statement], *, order: UUID, user: UUID, names: Mapping[str, Sequence[str]]
) -> Script:
    """
    What wrote this order, as pgbench can run it again. ``names``: what each role finds in its own schema.

    A transaction belongs to the order when it names the order, or an id that an earlier one of the order's names.
    Raises OrderNotSeen.
    """
    writing = list(_writing(statements, order=str(order), user=str(user)))
    if not writing:
        raise OrderNotSeen(order=order)
    numbers = {found: number for number, found in enumerate(_ids(writing, but=str(user)))}
    lines = [_HEADER]
    for writes in writing:
        words = [_with_variables(_in_schema(each, names[each.role]), numbers) + ";" for each in writes]
        # A single statement commits itself, here as there.
        lines += ["BEGIN;", *words, "COMMIT;"] if len(words) > 1 else words
    return Script(text="\n".join(lines) + "\n", transactions=len(writing), statements=sum(map(len, writing)))


def _writing(statements: Sequence[Statement], *, order: str, user: str) -> Iterator[list[Statement]]:
    """The order's transactions, each without its reads."""
    known = {order}
    for transaction in transactions(statements):
        writes = [statement for statement in transaction if statement.kind == "write"]
        ids = {found for statement in writes for found in _UUID.findall(statement.sql)} - {user}
        if ids & known:
            known |= ids
            yield writes


def _ids(writing: Sequence[Sequence[Statement]], *, but: str) -> list[str]:
    found = (each for writes in writing for statement in writes for each in _UUID.findall(statement.sql))
    return [each for each in dict.fromkeys(found) if each != but]


# Each client counts its own orders, on from where the run before ended: no id comes twice, and ids grow as ours do.
_HEADER = f"""\
\\set i :i + 1
\\set n {_FIRST_NUMBER} + :base + :client_id * :each + :i
\\set sku0 101 + 3 * random(0, {len(SKUS) // 3 - 1})
\\set sku1 :sku0 + 1
\\set sku2 :sku0 + 2"""


def _in_schema(statement: Statement, names: Sequence[str]) -> str:
    """A role finds its tables by its search path; pgbench, which is nobody's role, has to be told."""
    known = re.compile(rf'"?\b({"|".join(names)})\b"?')
    return known.sub(rf"{statement.role}.\1", statement.sql)


def _with_variables(sql: str, numbers: Mapping[str, int]) -> str:
    """pgbench puts a variable's digits in wherever its name stands, inside a literal too."""
    sql = _UUID.sub(lambda found: _id(numbers[found[0]]) if found[0] in numbers else found[0], sql)
    return _SKU.sub(lambda found: f"BENCH-:sku{(int(found[1]) - 101) % 3}", sql)


def _id(number: int) -> str:
    return f":n-{number:04}-7000-8000-000000000000"


# --- Running it -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One run of pgbench: so many orders in so many seconds, and the CPU seconds that pgbench itself took."""

    orders: int
    seconds: float
    client_cpu: float


class Yardstick:
    """The copy of the tables and the script that fills it."""

    def __init__(self, system: System, script: Script) -> None:
        self.script = script
        # Triggers find what they need by the search path, as they do in the domain's own role.
        path = ",".join(DOMAINS)
        self._server = {"PATH": os.defpath, "LC_ALL": "C", **system.server(), "PGOPTIONS": f"-c search_path={path}"}
        self._path = system.folder / "order.sql"
        self._written = 0
        self._path.write_text(script.text)

    def copy_tables(self) -> None:
        """All of them, with their data, constraints and indexes. Raises ProgramFailed."""
        self._run("createdb", COPY)
        dump = self._run("pg_dump", "--no-privileges", DATABASE)
        self._run("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={COPY}", says=dump)

    def write(self, orders: int, *, concurrency: int) -> Pass:
        """Write so many orders, at least one for each client. Raises ProgramFailed."""
        each = max(1, orders // concurrency)
        # The simple protocol, as our driver speaks it; one thread, so that pgbench is as lean as it gets.
        options = ("--no-vacuum", "--protocol=simple", f"--client={concurrency}", f"--transactions={each}")
        defined = ("--define=i=-1", f"--define=base={self._written}", f"--define=each={each}")
        before = os.times()
        said = self._run("pgbench", *options, *defined, f"--file={self._path}", COPY)
        after = os.times()
        self._written += each * concurrency
        rate = re.search(r"tps = ([\d.]+)", said)
        failed = re.search(r"number of failed transactions: (\d+)", said)
        if rate is None or failed is None or int(failed[1]):
            raise ProgramFailed(program="pgbench", code=0, words=_indented(said))
        cpu = after.children_user - before.children_user + after.children_system - before.children_system
        return Pass(orders=each * concurrency, seconds=each * concurrency / float(rate[1]), client_cpu=cpu)

    def _run(self, program: str, *arguments: str, says: str = "") -> str:
        path: Path = postgres_tree() / "bin" / program
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs
            [path, *arguments], input=says, capture_output=True, text=True, env=self._server, check=False
        )
        if done.returncode != 0:
            raise ProgramFailed(program=program, code=done.returncode, words=_indented(done.stderr))
        return done.stdout


def _indented(words: str) -> str:
    return "\n".join(f"    {line}" for line in words.strip().splitlines()[-12:])


def names_by_role(system: System, roles: Sequence[str]) -> dict[str, list[str]]:
    """The tables and the clock in each role's own schema, the longest name first."""
    wanted = ", ".join(f"'{role}'" for role in roles)
    rows = system.ask(f"SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ({wanted})")
    found: dict[str, list[str]] = {role: ["clock_now"] for role in roles}
    for schema, table in rows:
        found[schema].append(table)
    return {role: sorted(names, key=len, reverse=True) for role, names in found.items()}
