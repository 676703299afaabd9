"""
Makes a domain's schema and its two roles: ``<domain>_owner`` migrates, ``<domain>`` runs.

The running role has SELECT, INSERT, UPDATE and DELETE in its own schema and nothing anywhere else. On tables that
only ever grow (streams, audit) it has SELECT and INSERT: an owner could not be denied UPDATE, so it is not the owner.
"""

from __future__ import annotations

import random
import threading

import psycopg2
from psycopg2 import errors, extensions, sql

from runtime.databases.clock import CLOCK_FUNCTION
from runtime.databases.marks import SchemaMoved, read_mark
from runtime.databases.urls import role_password

ROLE_SETTINGS = {
    # A call that hangs in the database ends by itself; half a transaction left open does too.
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}


def provision(*, admin_url: str, domain: str, secret_key: str) -> None:
    """
    Schema, roles, rights and clock of one domain. May be run again at any time. Needs an administrator's URL.

    Raises SchemaMoved where the schema is being moved or has moved away: nothing here is opened again by a set-up.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _provision(admin_url, domain, secret_key)
            return
        except _MET_ANOTHER:
            # Roles belong to the whole server and no lock reaches across its databases: two set-ups at once, each in
            # a database of its own, can trip over each other. The one that fell starts again.
            if attempt == _ATTEMPTS:
                raise
            threading.Event().wait(random.uniform(0.05, 0.3))  # noqa: S311 - no secret


_ATTEMPTS = 8

_MET_ANOTHER = (errors.UniqueViolation, errors.DuplicateObject, errors.InternalError_)
"""The last one is "tuple concurrently updated"."""


def _provision(admin_url: str, domain: str, secret_key: str) -> None:
    connection = psycopg2.connect(admin_url)
    try:
        with connection, connection.cursor() as cursor:
            if mark := read_mark(cursor, domain):
                raise SchemaMoved(domain, mark)
            _make_roles(cursor, domain, secret_key)
            _make_schema(cursor, domain)
    finally:
        connection.close()


def restrict_append_only(*, owner_url: str, domain: str, tables: list[str]) -> None:
    """Take UPDATE, DELETE and TRUNCATE on these tables from the running role. Needs the owner's URL."""
    connection = psycopg2.connect(owner_url)
    try:
        with connection, connection.cursor() as cursor:
            for table in tables:
                cursor.execute(
                    sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {}.{} FROM {}").format(
                        sql.Identifier(domain), sql.Identifier(table), sql.Identifier(domain)
                    )
                )
    finally:
        connection.close()


def _make_roles(cursor: extensions.cursor, domain: str, secret_key: str) -> None:
    for role in (domain, f"{domain}_owner"):
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        verb = "ALTER" if cursor.fetchone() else "CREATE"
        cursor.execute(
            sql.SQL(verb + " ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                sql.Identifier(role), sql.Literal(role_password(role, secret_key))
            )
        )


def _make_schema(cursor: extensions.cursor, domain: str) -> None:
    cursor.execute("SELECT current_database(), current_user")
    database, admin = cursor.fetchone() or ("", "")
    names = {
        "schema": sql.Identifier(domain),
        "run": sql.Identifier(domain),
        "owner": sql.Identifier(f"{domain}_owner"),
        "database": sql.Identifier(database),
        "admin": sql.Identifier(admin),
    }

    def run(text: str, **more: sql.Composable) -> None:
        cursor.execute(sql.SQL(text).format(**names, **more))

    run("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    run("REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")
    run("GRANT CONNECT ON DATABASE {database} TO {run}, {owner}")
    # From PostgreSQL 16 on, an administrator who is no superuser has to be a member to give a schema away.
    run("GRANT {owner} TO {admin}")
    run("CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}")
    run("GRANT USAGE ON SCHEMA {schema} TO {run}")
    run(
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema}"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {run}"
    )
    run("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {run}")
    for role in ("run", "owner"):
        run(f"ALTER ROLE {{{role}}} IN DATABASE {{database}} SET search_path = {{schema}}")
    for name, value in ROLE_SETTINGS.items():
        run(f"ALTER ROLE {{run}} IN DATABASE {{database}} SET {name} = {{value}}", value=sql.Literal(value))
    run(CLOCK_FUNCTION)
    run("ALTER FUNCTION {schema}.clock_now() OWNER TO {owner}")
