"""
Real servers for the tests: one PostgreSQL and one Valkey for the whole run, a database for each worker process.

Importing this file starts them (in the controlling process) and points the settings at them, before Django reads any.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest

from runtime.embedded.postgres import Postgres
from runtime.embedded.state import secrets
from runtime.embedded.valkey import Valkey

pytest_plugins = [
    "tests.changed",
    "tests.operators",
    "tests.provider.fixture",
    "tests.rabbitmq",
    "tests.recorded",
    "tests.shop",
    "tests.trade",
]

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
ALIASES = frozenset({"users", "inventory", "payments", "orders"})


class Servers:
    """The run's own PostgreSQL and Valkey, below a directory that goes with them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mitosis-test-"))
        self.postgres = Postgres(self.folder)
        self.valkey = Valkey(self.folder)

    def start(self) -> None:
        self.postgres.start()
        self.valkey.start()
        os.environ["TEST_ADMIN_URL"] = self.postgres.url
        os.environ["TEST_VALKEY_URL"] = self.valkey.url(0).rpartition("/")[0]
        os.environ["TEST_STATE"] = str(self.folder)

    def stop(self) -> None:
        self.valkey.stop()
        self.postgres.stop()
        from runtime.embedded.placement import discard

        discard(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def _in_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _configure() -> Servers | None:
    servers = None
    if "PYTEST_XDIST_WORKER" not in os.environ:
        servers = Servers()
        servers.start()
    number = int("".join(filter(str.isdigit, WORKER)) or 0)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        MITOSIS_ENV="test",
        STATE_DIR=os.environ["TEST_STATE"],
        SECRET_KEY="a key that only the tests know",
        SERVICE_KEY="another key that only the tests know",
        JWT_SIGNING_KEY=secrets(Path(os.environ["TEST_STATE"]))["JWT_SIGNING_KEY"],
        DATABASE_URL=_in_database(os.environ["TEST_ADMIN_URL"], f"test_{WORKER}"),
        BROKER_URL=f"{os.environ['TEST_VALKEY_URL']}/{number * 2}",
        CACHE_URL=f"{os.environ['TEST_VALKEY_URL']}/{number * 2 + 1}",
        RATE_LIMIT_ANONYMOUS="off",
        RATE_LIMIT_USER="off",
        # Where a test is about traces, it records them all.
        TRACES_SAMPLE="0",
    )
    return servers


_servers = _configure()

import django  # noqa: E402 - only now is there anything to read the settings from

django.setup()
if _servers is not None:
    # A worker process that inherited this would read its settings before this file has pointed them at its database.
    del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _servers is not None:
        _servers.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A bare ``django_db`` mark means the default database, which there is not: it means all four here."""
    for item in items:
        for mark in item.iter_markers("django_db"):
            mark.kwargs.setdefault("databases", list(ALIASES))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_collection_finish(session: pytest.Session) -> Iterator[None]:
    """Tests that share a shop run in one process. Where pytest-xdist cannot see to it, nothing else would say so."""
    if session.config.getoption("loadgroup", default=False):
        for item in session.items:
            group = item.get_closest_marker("xdist_group")
            if group and not item.nodeid.endswith(f"@{group.args[0]}"):
                raise pytest.UsageError(
                    f"{item.nodeid} is not kept in its group: pytest and pytest-xdist do not match."
                )
    return (yield)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """This worker's database, with the schemas and roles that a deployment has."""
    from django.core.management import call_command
    from django.db import connections

    admin = os.environ["TEST_ADMIN_URL"]
    _admin(admin, f'DROP DATABASE IF EXISTS "test_{WORKER}" WITH (FORCE)', f'CREATE DATABASE "test_{WORKER}"')
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        call_command("migrate", verbosity=0)
        yield
        connections.close_all()
    _admin(admin, f'DROP DATABASE "test_{WORKER}" WITH (FORCE)')


def _admin(url: str, *statements: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        for statement in statements:
            connection.cursor().execute(statement)
    finally:
        connection.close()


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """
    The databases with real commits, for what several connections have to see. Emptied afterwards.
    """
    from django.db import connections

    from tests.emptying import empty_databases

    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        yield
        connections.close_all()
    empty_databases()
