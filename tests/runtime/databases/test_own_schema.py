"""What a domain's running role may do at home: read and write rows, and change no shape and no history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connections

from runtime.databases.management.commands.migrate import append_only_tables
from runtime.databases.roles import ROLE_SETTINGS

DOMAINS = ("users", "inventory", "payments", "orders")
REFUSED = "42501"

Logins = Callable[[str], Any]
Sql = Callable[..., Any]

HISTORY = {
    "users": set(),
    "inventory": {"inventory_stockmovement"},
    "payments": {"payments_movement", "payments_ledgerline"},
    "orders": set(),
}
"""What only ever grows, beside the streams that every domain has."""

STREAM_ROW = (
    "INSERT INTO eventstore_streamevent (stream, version, event_type, schema_version, data)"
    " VALUES ('01890000-0000-7000-8000-000000000000', 1, 'OrderCreated', 1, '{}')"
)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE planted (id int)",
        "CREATE TABLE {schema}.planted (id int)",
        "CREATE VIEW {schema}.planted AS SELECT 1",
        "CREATE FUNCTION {schema}.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION {schema}.clock_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
        "CREATE SCHEMA planted",
        "CREATE TEMPORARY TABLE planted (id int)",
        "ALTER TABLE messaging_outboxmessage ADD COLUMN planted int",
        "ALTER TABLE messaging_outboxmessage OWNER TO {schema}",
        "ALTER SCHEMA {schema} RENAME TO planted",
        "DROP TABLE messaging_outboxmessage",
        "DROP SCHEMA {schema} CASCADE",
        "TRUNCATE messaging_outboxmessage",
        "CREATE INDEX planted ON messaging_outboxmessage (attempts)",
        "ALTER TABLE messaging_outboxmessage DISABLE TRIGGER ALL",
    ],
)
@pytest.mark.parametrize("domain", DOMAINS)
def test_the_running_role_changes_no_shape(domain: str, statement: str, login: Logins) -> None:
    assert login(domain).refusal(statement.format(schema=domain)) == REFUSED


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_running_role_has_no_rights_to_give_away(domain: str, login: Logins) -> None:
    """PostgreSQL warns and goes on: what counts is what the others may do then."""
    other = next(name for name in DOMAINS if name != domain)
    give = f"GRANT ALL ON messaging_outboxmessage TO {other}"

    assert (
        login(domain).ask(f"{give}; SELECT has_table_privilege('{other}', 'messaging_outboxmessage', 'SELECT')")
        is False
    )


@pytest.mark.parametrize("role", [*DOMAINS, *(f"{domain}_owner" for domain in DOMAINS)])
def test_nobody_can_use_public(role: str, login: Logins) -> None:
    assert login(role).refusal("CREATE TABLE public.planted (id int)") == REFUSED
    assert login("admin").ask("SELECT has_schema_privilege(%s, 'public', 'USAGE')", [role]) is False
    assert login("admin").ask("SELECT has_schema_privilege(%s, 'public', 'CREATE')", [role]) is False


# --- History ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE eventstore_streamevent SET data = '{}'",
        "DELETE FROM eventstore_streamevent",
        "TRUNCATE eventstore_streamevent",
        STREAM_ROW + " ON CONFLICT (stream, version) DO UPDATE SET data = '{}'",
        "SELECT 1 FROM eventstore_streamevent FOR UPDATE",
    ],
)
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_stream_that_was_written_cannot_be_changed(domain: str, statement: str, login: Logins) -> None:
    assert login(domain).refusal(statement) == REFUSED


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_stream_can_be_appended_to_and_read(domain: str, login: Logins) -> None:
    assert login(domain).refusal(STREAM_ROW) is None
    assert login(domain).refusal(STREAM_ROW + " ON CONFLICT DO NOTHING") is None
    assert login(domain).refusal("SELECT count(*) FROM eventstore_streamevent") is None


@pytest.mark.parametrize("domain", DOMAINS)
def test_just_the_tables_that_say_so_are_append_only(domain: str, login: Logins) -> None:
    rows = login("admin").rows(
        "SELECT tablename, has_table_privilege(%s, format('%%I.%%I', schemaname, tablename), 'UPDATE'),"
        " has_table_privilege(%s, format('%%I.%%I', schemaname, tablename), 'DELETE')"
        " FROM pg_tables WHERE schemaname = %s",
        [domain, domain, domain],
    )

    refused = {table for table, update, delete in rows if not update and not delete}
    allowed = {table for table, update, delete in rows if update and delete}

    assert refused == set(append_only_tables(domain))
    assert refused >= {"eventstore_streamevent", *HISTORY[domain]}
    assert refused | allowed == {table for table, *_ in rows}


@pytest.mark.parametrize("domain", DOMAINS)
def test_everything_in_the_schema_belongs_to_the_owner_and_not_to_the_running_role(domain: str, login: Logins) -> None:
    owners = login("admin").rows(
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = %s::regnamespace"
        " UNION SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = %s::regnamespace"
        " UNION SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = %s",
        [domain, domain, domain],
    )

    assert owners == [(f"{domain}_owner",)]


# --- Limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", DOMAINS)
def test_limits_and_the_search_path_are_in_force_for_the_running_role(domain: str, login: Logins) -> None:
    assert ROLE_SETTINGS == {
        "statement_timeout": "5s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "10s",
    }
    for name, value in ROLE_SETTINGS.items():
        assert login(domain).ask(f"SHOW {name}") == value
    assert login(domain).ask("SHOW search_path") == domain
    assert login(f"{domain}_owner").ask("SHOW search_path") == domain


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_migration_is_not_cut_short_by_the_limits_of_requests(domain: str, login: Logins) -> None:
    assert login(f"{domain}_owner").ask("SHOW statement_timeout") == "0"


@pytest.mark.django_db
@pytest.mark.parametrize("domain", DOMAINS)
def test_django_is_logged_in_as_the_running_role(domain: str, sql: Sql) -> None:
    assert sql(domain, "SELECT current_user") == domain
    assert sql(domain, "SELECT current_schema()") == domain
    assert sql(domain, "SHOW statement_timeout") == "5s"
    assert settings.DATABASES[domain]["USER"] == domain


def test_whoever_waits_for_a_lock_gives_up_after_two_seconds(committed: None, sql: Sql, login: Logins) -> None:
    holder = login("orders_owner")
    with holder._connection.cursor() as cursor:
        cursor.execute("LOCK TABLE messaging_eventcounter IN ACCESS EXCLUSIVE MODE")
        try:
            with pytest.raises(OperationalError, match="lock timeout") as caught:
                sql("orders", "SELECT count(*) FROM messaging_eventcounter")
        finally:
            holder._connection.rollback()

    assert caught.value.__cause__.pgcode == "55P03"  # type: ignore[union-attr]
    assert sql("orders", "SELECT count(*) FROM messaging_eventcounter") == 0


def test_a_statement_that_hangs_is_cut_short(committed: None, sql: Sql) -> None:
    """The role's own limit, made smaller here so that nobody has to wait for five seconds."""
    with connections["orders"].cursor() as cursor:
        cursor.execute("SET statement_timeout = '50ms'")

    with pytest.raises(OperationalError) as caught:
        sql("orders", "SELECT pg_sleep(5)")

    assert caught.value.__cause__.pgcode == "57014"  # type: ignore[union-attr]
