from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from django.conf import settings
from django.db import connections

from runtime.databases.urls import role_url

DOMAINS = ("users", "inventory", "payments", "orders")


class Login:
    """One role in the test database, each statement a transaction of its own that is rolled back."""

    def __init__(self, role: str) -> None:
        url = os.environ["DATABASE_URL"]
        self._connection = psycopg2.connect(url if role == "admin" else role_url(url, role, settings.SECRET_KEY))

    def ask(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        """The first field of the first row."""
        rows = self.rows(statement, parameters)
        return rows[0][0] if rows else None

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            self._connection.rollback()

    def refusal(self, statement: str) -> str | None:
        """The SQLSTATE with which PostgreSQL refuses this statement; None where it does not."""
        try:
            self.rows(statement)
        except psycopg2.Error as error:
            return error.pgcode or type(error).__name__
        return None

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="session")
def login(django_db_setup: None) -> Iterator[Callable[[str], Login]]:
    """``login("orders")``: what that role may do. ``admin`` is the administrator; connections are kept."""
    known: dict[str, Login] = {}

    def login_as(role: str) -> Login:
        if role not in known:
            known[role] = Login(role)
        return known[role]

    yield login_as
    for connection in known.values():
        connection.close()


@pytest.fixture
def sql() -> Callable[..., Any]:
    """One statement on an alias of Django's; the first field of the first row."""

    def run(alias: str, statement: str, *parameters: Any) -> Any:
        with connections[alias].cursor() as cursor:
            cursor.execute(statement, parameters)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    return run


@pytest.fixture
def database_url() -> str:
    """The administrator's."""
    return os.environ["DATABASE_URL"]


@pytest.fixture
def empty_database() -> Iterator[str]:
    """A database of this server that nothing was done to yet: its URL, an administrator's."""
    url = os.environ["DATABASE_URL"]
    parts = urlsplit(url)
    name = f"{parts.path.strip('/')}_empty"
    with closing(psycopg2.connect(os.environ["TEST_ADMIN_URL"])) as server:
        server.autocommit = True
        server.cursor().execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.cursor().execute(f'CREATE DATABASE "{name}"')
        yield urlunsplit(parts._replace(path=f"/{name}"))
        server.cursor().execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits for a condition, for ten seconds at most."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, "it did not come true within 10 s"
            time.sleep(0.02)

    return wait
