"""
The walls of a deployment are those of the code: the network lets those ask who may ask by config/calls.py, and no login
reaches the tables of another domain.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing

import psycopg2
import pytest

from config.calls import CALLERS
from config.environment import DOMAINS
from tests.deploy.rendering import INSIDE, OVERLAYS, PUBLIC, ROLES, Way, hosted, strangers, ways

SPLIT = [name for name, topology in OVERLAYS.items() if topology.is_split]


def pairs_of(
    groups: Mapping[str, tuple[str, ...]], callers: Mapping[str, Mapping[str, frozenset[str]]]
) -> set[tuple[str, str]]:
    """Which group asks which other, because some domain in it may ask some domain there for something."""
    home = {domain: group for group, domains in groups.items() for domain in domains}
    return {
        (home[caller], home[callee])
        for callee, methods in callers.items()
        for allowed in methods.values()
        for caller in allowed
        if home[caller] != home[callee]
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_network_lets_through_the_calls_of_the_contracts_and_none_beside(overlay):
    found = {way for way in ways(overlay) if way.port == INSIDE}
    assert found == {
        Way(source_group=caller, source=role, target_group=callee, target="web", port=INSIDE)
        for caller, callee in pairs_of(hosted(overlay), CALLERS)
        for role in ROLES
    }


@pytest.mark.parametrize("overlay", SPLIT)
def test_a_domain_that_nobody_may_ask_any_more_would_be_one_that_is_open_here(overlay):
    nobody = {**CALLERS, "payments": {}}
    assert pairs_of(hosted(overlay), nobody) < pairs_of(hosted(overlay), CALLERS)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_public_door_is_the_gateways_and_of_payments_the_sandboxs(overlay):
    sandbox = {
        Way(source_group=group, source="relay", target_group=group, target="web", port=PUBLIC)
        for group, domains in hosted(overlay).items()
        if "payments" in domains
    }
    gateway = {
        Way(source_group="", source="gateway", target_group=group, target="web", port=PUBLIC)
        for group in hosted(overlay)
        if OVERLAYS[overlay].is_split
    }
    assert {way for way in ways(overlay) if way.port == PUBLIC} == sandbox | gateway


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_group_reaches_its_own_database_and_no_other_and_who_migrates_nothing_else(overlay):
    found = {(way.source_group, way.source, way.target_group, way.target, way.port) for way in ways(overlay)}
    servers = {each for each in found if each[3] in ("database", "broker", "cache")}
    groups = list(hosted(overlay))
    assert servers == {
        *((group, role, group, "database", 5432) for group in groups for role in (*ROLES, "migrate")),
        # The broker and the cache are everybody's, whatever label they wear.
        *((group, role, any_group, "broker", 5672) for group in groups for role in ROLES for any_group in groups),
        *((group, role, any_group, "cache", 6379) for group in groups for role in ROLES for any_group in groups),
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_else_is_open_between_pods(overlay):
    assert {way.port for way in ways(overlay)} <= {INSIDE, PUBLIC, 5432, 5672, 6379}
    assert {way.target for way in ways(overlay) if way.port in (INSIDE, PUBLIC)} <= {"web"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_with_whom_outside_each_role_speaks(overlay):
    split = OVERLAYS[overlay].is_split
    everybody = [(group, role) for group in hosted(overlay) for role in (*ROLES, "migrate")]
    served = [(group, "web") for group in hosted(overlay)] + ([("", "gateway")] if split else [])
    expected = {(*who, "egress", "kube-system", 53) for who in everybody + ([("", "gateway")] if split else [])}
    expected |= {(*who, "egress", "monitoring", port) for who in everybody if who[1] in ROLES for port in (4317, 4318)}
    watched = [who for who in everybody if who[1] in ROLES] + ([("", "gateway")] if split else [])
    expected |= {(*who, "ingress", "monitoring", INSIDE) for who in watched}
    expected |= {(*who, "ingress", "ingress-nginx", PUBLIC) for who in served if split == (who[1] == "gateway")}
    for group, domains in hosted(overlay).items():
        # Letters go out by the relay; the provider is asked by whoever is at it.
        expected |= {(group, "relay", "egress", "anybody", port) for port in (465, 587) if "users" in domains}
        expected |= {(group, role, "egress", "0.0.0.0/0", 443) for role in ROLES if "payments" in domains}
    assert strangers(overlay) == expected


GRANTS = """
SELECT role, schema,
       has_schema_privilege(role, schema, 'USAGE') OR has_schema_privilege(role, schema, 'CREATE')
       OR EXISTS (
           SELECT FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
           WHERE n.nspname = schema AND t.relkind IN ('r', 'p', 'v', 'm')
             AND has_table_privilege(role, t.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       )
FROM unnest(%(roles)s) AS role, unnest(%(schemas)s) AS schema
"""


@pytest.mark.usefixtures("django_db_setup")
def test_no_call_of_the_contracts_is_a_grant_each_login_reaches_its_own_schema_alone():
    roles = [role for domain in DOMAINS for role in (domain, f"{domain}_owner")]
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        cursor.execute(GRANTS, {"roles": roles, "schemas": list(DOMAINS)})
        found = cursor.fetchall()
    assert {(role, schema) for role, schema, reaches in found if reaches} == {
        (role, role.removesuffix("_owner")) for role in roles
    }
    assert len(found) == 2 * len(DOMAINS) ** 2
