"""
A domain's roles are refused by PostgreSQL itself in every other domain's schema: all twelve ordered pairs.

Refused means SQLSTATE 42501, insufficient_privilege. That the very same statement is let through for the role it is
meant for is tested beside it: a refusal for a slip of the pen would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

DOMAINS = ("users", "inventory", "payments", "orders")
TABLES = {
    "users": "users_user",
    "inventory": "inventory_product",
    "payments": "payments_payment",
    "orders": "orders_order",
}
PAIRS = list(permutations(DOMAINS, 2))
REFUSED = "42501"

READS_AND_WRITES = {
    "select": "SELECT count(*) FROM {schema}.{table}",
    "insert": "INSERT INTO {schema}.messaging_eventcounter (subject, last) VALUES ('intruder', 1)",
    "update": "UPDATE {schema}.{table} SET created_at = created_at WHERE false",
    "delete": "DELETE FROM {schema}.{table} WHERE false",
    "lock": "SELECT 1 FROM {schema}.{table} FOR UPDATE",
    "call": "SELECT {schema}.clock_now()",
    "sequence": "SELECT last_value FROM {schema}.django_migrations_id_seq",
}
CHANGES_OF_SHAPE = {
    "create": "CREATE TABLE {schema}.planted (id int)",
    "alter": "ALTER TABLE {schema}.{table} ADD COLUMN planted int",
    "drop": "DROP TABLE {schema}.messaging_inboxmessage",
    "truncate": "TRUNCATE {schema}.messaging_inboxmessage",
    "index": "CREATE INDEX planted ON {schema}.{table} (created_at)",
    "drop function": "DROP FUNCTION {schema}.clock_now() CASCADE",
    "comment": "COMMENT ON SCHEMA {schema} IS 'planted'",
    "grant": "GRANT USAGE ON SCHEMA {schema} TO PUBLIC",
}
ALL = {**READS_AND_WRITES, **CHANGES_OF_SHAPE}

Logins = Callable[[str], Any]


def statement(name: str, schema: str) -> str:
    return ALL[name].format(schema=schema, table=TABLES[schema])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("role", "schema"), PAIRS, ids=[f"{role} in {schema}" for role, schema in PAIRS])
def test_a_domain_is_refused_in_another_ones_schema(role: str, schema: str, name: str, login: Logins) -> None:
    assert login(role).refusal(statement(name, schema)) == REFUSED


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("role", "schema"), PAIRS, ids=[f"{role}_owner in {schema}" for role, schema in PAIRS])
def test_an_owner_is_refused_in_another_domains_schema(role: str, schema: str, name: str, login: Logins) -> None:
    assert login(f"{role}_owner").refusal(statement(name, schema)) == REFUSED


@pytest.mark.parametrize("name", READS_AND_WRITES)
@pytest.mark.parametrize("schema", DOMAINS)
def test_the_same_statement_is_let_through_in_ones_own_schema(schema: str, name: str, login: Logins) -> None:
    assert login(schema).refusal(statement(name, schema)) is None


@pytest.mark.parametrize("name", CHANGES_OF_SHAPE)
@pytest.mark.parametrize("schema", DOMAINS)
def test_the_same_statement_is_let_through_for_the_owner(schema: str, name: str, login: Logins) -> None:
    assert login(f"{schema}_owner").refusal(statement(name, schema)) is None


@pytest.mark.parametrize(("role", "other"), PAIRS, ids=[f"{role} as {other}" for role, other in PAIRS])
def test_a_domain_cannot_become_another_one_nor_its_owner(role: str, other: str, login: Logins) -> None:
    assert login(role).refusal(f"SET ROLE {other}") == REFUSED
    assert login(role).refusal(f"SET ROLE {other}_owner") == REFUSED
    assert login(f"{role}_owner").refusal(f"SET ROLE {other}_owner") == REFUSED


@pytest.mark.parametrize("role", DOMAINS)
def test_a_domain_cannot_become_its_own_owner_nor_give_itself_rights(role: str, login: Logins) -> None:
    assert login(role).refusal(f"SET ROLE {role}_owner") == REFUSED
    assert login(role).refusal(f"ALTER ROLE {role} SUPERUSER") == REFUSED
    assert login(role).refusal("CREATE ROLE planted") == REFUSED
    assert login(role).refusal("CREATE DATABASE planted") in {REFUSED, "25001"}
    assert (
        login(role).refusal(f"ALTER DEFAULT PRIVILEGES FOR ROLE {role}_owner GRANT ALL ON TABLES TO PUBLIC") == REFUSED
    )


@pytest.mark.parametrize(("role", "schema"), PAIRS, ids=[f"{role} looks into {schema}" for role, schema in PAIRS])
def test_a_search_path_opens_no_other_schema(role: str, schema: str, login: Logins) -> None:
    """Whoever widens the path does not find the table: PostgreSQL passes over schemas that one may not use."""
    assert login(role).refusal(f"SET search_path = {role}, {schema}; SELECT 1 FROM {TABLES[schema]}") == "42P01"


@pytest.mark.parametrize(("role", "schema"), PAIRS, ids=[f"{role} refers to {schema}" for role, schema in PAIRS])
def test_a_foreign_key_finds_no_table_in_another_schema(role: str, schema: str, login: Logins) -> None:
    owner = login(f"{role}_owner")

    assert owner.refusal(f"CREATE TABLE planted (id uuid REFERENCES {TABLES[schema]})") == "42P01"
    assert owner.refusal(f"CREATE TABLE planted (id uuid REFERENCES {schema}.{TABLES[schema]})") == REFUSED


@pytest.mark.parametrize("role", [*DOMAINS, *(f"{domain}_owner" for domain in DOMAINS)])
def test_a_role_has_no_power_over_the_server(role: str, login: Logins) -> None:
    powers = login("admin").rows(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin FROM pg_roles"
        " WHERE rolname = %s",
        [role],
    )

    assert powers == [(False, False, False, False, False, True)]


@pytest.mark.parametrize("role", [*DOMAINS, *(f"{domain}_owner" for domain in DOMAINS)])
def test_a_role_belongs_to_no_group(role: str, login: Logins) -> None:
    groups = "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = %s"

    assert login("admin").ask(groups, [role]) == 0
