"""A shop's data in one database, an empty database beside it, and what it takes to move a domain between them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from config.environment import read
from config.moves.mover import Mover, Outcome
from config.moves.planning import absorption, extraction
from runtime.databases.management.commands.migrate import append_only_tables
from runtime.databases.urls import role_url
from runtime.embedded.placement import discard
from runtime.embedded.postgres import Postgres
from runtime.extraction.comparing import Fingerprints, fingerprints
from runtime.extraction.journal import Move

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a key that only the tests know"


def server_elsewhere() -> Iterator[Postgres]:
    """A server that is not the shop's."""
    server = Postgres(Path(tempfile.mkdtemp(prefix="mitosis-elsewhere-")))
    server.start()
    yield server
    server.stop()
    discard(server.state)


class Deaf:
    """Watches a move and says nothing; what was said is kept."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, words: str) -> None:
        self.said.append(words)

    def copying(self, size: int) -> Callable[[int], None]:
        return lambda piece: None

    def comparing(self, tables: int) -> Callable[[str], None]:
        return lambda name: None


@dataclass(slots=True)
class Moving:
    """``source`` and ``target`` are administrators' URLs; nothing runs in ``state``."""

    state: Path
    source: str
    target: str
    domain: str = "inventory"

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_URL") and name != "TOPOLOGY"}
        return {
            **kept,
            "STATE_DIR": str(self.state),
            "SECRET_KEY": SECRET,
            "DATABASE_URL": self.source,
            "BROKER_URL": "redis://127.0.0.1:1",
            "CACHE_URL": "redis://127.0.0.1:1",
        }

    def manage(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env={**self.environ, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    # --- In this process ----------------------------------------------------------------------------------------------

    def mover(self, watcher: Deaf | None = None) -> Mover:
        return Mover(self.state, secret_key=SECRET, append_only=append_only_tables, watcher=watcher or Deaf())

    def plan(self, kind: str = "extract", **more: Any) -> Move:
        settings = read(self.environ)
        if kind == "absorb":
            return absorption(settings, domain=self.domain)
        return extraction(settings, domain=self.domain, **{"database_url": self.target, "service_url": None, **more})

    def carry_out(self, kind: str = "extract", **more: Any) -> Outcome:
        mover = self.mover()
        with mover.at_work() as here:
            return mover.carry_out(self.plan(kind, **more), here)

    def take_up(self, watcher: Deaf | None = None) -> Outcome | None:
        mover = self.mover(watcher)
        with mover.at_work() as here:
            return mover.take_up(here)

    # --- From outside -------------------------------------------------------------------------------------------------

    def rows(self, url: str, statement: str, *, role: str = "") -> list[tuple[Any, ...]]:
        login = role_url(url, role, SECRET) if role else url
        with closing(psycopg2.connect(login)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def works(self, url: str) -> bool:
        """Whether the domain's running role can use its schema there."""
        try:
            self.rows(url, f"SELECT {self.domain}.clock_now()", role=self.domain)
            self.rows(url, f"UPDATE {self.domain}.django_migrations SET name = name", role=self.domain)
        except psycopg2.Error:
            return False
        return True

    def is_there(self, url: str) -> bool:
        return bool(self.rows(url, f"SELECT 1 FROM pg_namespace WHERE nspname = '{self.domain}'"))

    def data(self, url: str) -> Fingerprints:
        return fingerprints(url, self.domain)


@contextmanager
def fresh_database(admin: str, name: str, *, template: str = "template1") -> Iterator[str]:
    """Its administrator's URL."""
    with closing(psycopg2.connect(admin)) as server:
        server.autocommit = True
        server.cursor().execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.cursor().execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield urlunsplit(urlsplit(admin)._replace(path=f"/{name}"))
        finally:
            server.cursor().execute(f'DROP DATABASE "{name}" WITH (FORCE)')
