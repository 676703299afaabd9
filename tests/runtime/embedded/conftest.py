from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from runtime.embedded.placement import discard
from runtime.embedded.postgres import Postgres
from runtime.embedded.valkey import Valkey


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory that leaves nothing behind, neither files nor servers."""
    folder = tmp_path / "state"
    yield folder
    discard(folder)


@pytest.fixture
def postgres(state: Path) -> Iterator[Postgres]:
    server = Postgres(state)
    yield server
    server.stop()


@pytest.fixture
def valkey(state: Path) -> Iterator[Valkey]:
    server = Valkey(state)
    yield server
    server.stop()


@pytest.fixture
def ask() -> Callable[[str, str], Any]:
    """Runs a statement at a database URL; the answer is the first field of its first row."""

    def answer(url: str, sql: str) -> Any:
        connection = psycopg2.connect(url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql)
                row = cursor.fetchone() if cursor.description else None
                return row[0] if row else None
        finally:
            connection.close()

    return answer


@pytest.fixture
def open_to_others() -> Callable[[Path], list[Path]]:
    """Lists what anybody but its owner could read or change below a folder."""
    return lambda folder: [path for path in folder.rglob("*") if not path.is_symlink() and path.lstat().st_mode & 0o077]
