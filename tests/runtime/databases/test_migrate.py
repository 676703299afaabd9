"""Schemas, roles and tables are made once, and made again to no effect."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from runtime.databases.roles import provision
from runtime.databases.urls import role_url

DOMAINS = ("users", "inventory", "payments", "orders")

Logins = Callable[[str], Any]

SHAPE = """
SELECT 'column', table_schema || '.' || table_name || '.' || column_name,
       concat_ws(' ', data_type, is_nullable, column_default, ordinal_position)
FROM information_schema.columns WHERE table_schema = ANY(%(schemas)s)
UNION ALL SELECT 'index', schemaname || '.' || indexname, indexdef FROM pg_indexes WHERE schemaname = ANY(%(schemas)s)
UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace::regnamespace::text = ANY(%(schemas)s)
UNION ALL SELECT 'relation', oid::regclass::text, concat_ws(' ', pg_get_userbyid(relowner), relacl::text) FROM pg_class
WHERE relnamespace::regnamespace::text = ANY(%(schemas)s)
UNION ALL SELECT 'function', oid::regprocedure::text, concat_ws(' ', pg_get_userbyid(proowner), prosrc, proacl::text)
FROM pg_proc WHERE pronamespace::regnamespace::text = ANY(%(schemas)s)
UNION ALL SELECT 'schema', nspname, concat_ws(' ', pg_get_userbyid(nspowner), nspacl::text) FROM pg_namespace
UNION ALL SELECT 'default rights', pg_get_userbyid(defaclrole), defaclnamespace::regnamespace || defaclacl::text
FROM pg_default_acl
UNION ALL SELECT 'role', rolname, concat_ws(' ', rolsuper, rolcreaterole, rolcreatedb, rolcanlogin) FROM pg_roles
UNION ALL SELECT 'setting', setrole::regrole::text, setconfig::text FROM pg_db_role_setting
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1, 2, 3
"""


def shape(login: Logins) -> list[tuple[str, ...]]:
    return login("admin").rows(SHAPE, {"schemas": list(DOMAINS)})


def applied(login: Logins) -> dict[str, list[tuple[Any, ...]]]:
    return {
        domain: login(domain).rows("SELECT id, app, name, applied FROM django_migrations ORDER BY id")
        for domain in DOMAINS
    }


@pytest.mark.usefixtures("committed")
def test_migrating_again_changes_nothing(login: Logins) -> None:
    before, written_down = shape(login), applied(login)
    assert len(before) > 300

    call_command("migrate", verbosity=0)

    assert shape(login) == before
    assert applied(login) == written_down


@pytest.mark.usefixtures("committed")
def test_migrating_one_domain_touches_no_other(login: Logins) -> None:
    before, written_down = shape(login), applied(login)

    call_command("migrate", domain="orders", verbosity=0)

    assert shape(login) == before
    assert applied(login) == written_down


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_schema_has_its_own_tables_and_runtimes_and_no_others(domain: str, login: Logins) -> None:
    tables = {
        name for (name,) in login("admin").rows("SELECT tablename FROM pg_tables WHERE schemaname = %s", [domain])
    }
    prefixes = {name.partition("_")[0] for name in tables}

    assert prefixes == {domain, "django", *settings.RUNTIME_APPS}
    assert {app for _, app, *_ in applied(login)[domain]} == {domain, *settings.RUNTIME_APPS}


def test_nothing_of_ours_is_in_public(login: Logins) -> None:
    assert login("admin").rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


@pytest.mark.usefixtures("committed")
def test_a_process_goes_on_as_the_running_role_after_migrating(sql: Callable[..., Any]) -> None:
    call_command("migrate", domain="orders", verbosity=0)

    assert sql("orders", "SELECT current_user") == "orders"
    assert connections["orders"].settings_dict["USER"] == "orders"


@pytest.mark.usefixtures("committed")
def test_a_failure_on_the_way_leaves_the_process_in_the_running_role(
    monkeypatch: pytest.MonkeyPatch, sql: Callable[..., Any]
) -> None:
    def fail(self: object, *args: object, **options: object) -> None:
        assert sql("orders", "SELECT current_user") == "orders_owner"
        raise CommandError("the migration failed")

    monkeypatch.setattr("django.core.management.commands.migrate.Command.handle", fail)

    with pytest.raises(CommandError, match="the migration failed"):
        call_command("migrate", domain="orders", verbosity=0)

    assert sql("orders", "SELECT current_user") == "orders"


@pytest.mark.usefixtures("committed")
def test_who_only_looks_whether_all_is_migrated_makes_nothing_and_needs_no_administrator(
    login: Logins, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    made: list[object] = []
    monkeypatch.setattr("runtime.databases.management.commands.migrate.provision", lambda **told: made.append(told))
    monkeypatch.setattr(
        "runtime.databases.management.commands.migrate.restrict_append_only", lambda **told: made.append(told)
    )
    before = shape(login)

    call_command("migrate", "--check", verbosity=0)
    settings.DATABASE_ADMINS = dict.fromkeys(DOMAINS)
    call_command("migrate", "--check", verbosity=0)

    assert (made, shape(login)) == ([], before)
    monkeypatch.setattr(MigrationRecorder, "applied_migrations", lambda self: {})
    with pytest.raises(SystemExit) as missing:
        call_command("migrate", "--check", verbosity=0)
    assert missing.value.code == 1


def test_a_domain_without_a_known_database_is_named(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.DATABASE_OWNERS = {**settings.DATABASE_OWNERS, "orders": None}

    with pytest.raises(CommandError, match="set DATABASE_URL or ORDERS_DATABASE_URL"):
        call_command("migrate", domain="orders", verbosity=0)


def test_a_domain_that_is_not_hosted_here_cannot_be_migrated() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'shipping'"):
        call_command("migrate", "--domain=shipping", verbosity=0)


# --- Roles and schema, on a database of their own ---------------------------------------------------------------------


def test_a_role_logs_in_with_the_password_that_the_secret_gives(empty_database: str) -> None:
    provision(admin_url=empty_database, domain="orders", secret_key=settings.SECRET_KEY)

    for role in ("orders", "orders_owner"):
        psycopg2.connect(role_url(empty_database, role, settings.SECRET_KEY)).close()
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(role_url(empty_database, role, "another secret"))


def test_provisioning_makes_one_domain_and_no_other(empty_database: str) -> None:
    provision(admin_url=empty_database, domain="orders", secret_key=settings.SECRET_KEY)
    provision(admin_url=empty_database, domain="orders", secret_key=settings.SECRET_KEY)

    connection = psycopg2.connect(empty_database)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", [list(DOMAINS)])
        schemas = cursor.fetchall()
    connection.close()
    assert schemas == [("orders",)]


def test_two_that_provision_at_once_both_succeed(empty_database: str) -> None:
    failures: list[BaseException] = []

    def go() -> None:
        try:
            provision(admin_url=empty_database, domain="orders", secret_key=settings.SECRET_KEY)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert failures == []
