"""`make up` with real servers: what runs, who is told what, and which names it has."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg2
import pytest
import redis

from config.supervision.leftovers import MARK
from config.supervision.operator_login import operator_login
from config.supervision.plans import plan_for
from config.supervision.processes import process_specs
from config.topology import Topology
from runtime.databases.urls import role_url
from runtime.embedded.process import started_with, wait_until
from runtime.embedded.state import last_run, secrets


def test_run_json_says_what_runs_and_all_of_it_answers(application: Any, state: Path, environ: dict[str, str]) -> None:
    with application.running(application.small_plan(state), state, environ) as supervisor:
        run = application.run_of(state)

        assert run["state"] == "ready"
        assert (state / "run.json").stat().st_mode & 0o777 == 0o600
        assert run["http"] == supervisor.url
        assert urlopen(f"{run['http']}/ready").status == 200
        assert [redis.Redis.from_url(run[name]).ping() for name in ("broker", "cache")] == [True, True]
        assert (run["broker"][-2:], run["cache"][-2:]) == ("/0", "/1")
        assert run["supervisor"]["pid"] == os.getpid()
        assert [process["name"] for process in run["processes"]] == ["postgres", "valkey", "web", "worker", "relay"]
        assert {tuple(process["domains"]) for process in run["processes"]} == {application.DOMAINS}
        assert all(os.getpgid(process["pid"]) == process["pid"] for process in run["processes"])
    assert last_run(state) is None
    assert started_with(MARK, str(state)) == []


def test_only_preparation_is_told_the_administrator_and_the_rest_get_a_role_for_each_domain(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    with application.running(application.small_plan(state), state, environ):
        assert wait_until((state / "relay-env.json").exists, limit=10)
        prepares = json.loads((state / "migrate-env.json").read_text())
        serves = json.loads((state / "relay-env.json").read_text())
        run = application.run_of(state)

        connection = psycopg2.connect(prepares["ORDERS_DATABASE_URL"])
        assert connection.info.user == "mitosis"
        connection.close()

    key = secrets(state)["SECRET_KEY"]
    expected = {domain: role_url(prepares["ORDERS_DATABASE_URL"], domain, key) for domain in application.DOMAINS}
    login = operator_login(state, {})
    assert run["databases"] == expected
    assert {domain: serves[f"{domain.upper()}_DATABASE_URL"] for domain in application.DOMAINS} == expected
    assert not {"DATABASE_URL", "OPERATOR_EMAIL", "OPERATOR_PASSWORD"} & serves.keys()
    assert (serves["SECRET_KEY"], serves["JWT_SIGNING_KEY"]) == (key, secrets(state)["JWT_SIGNING_KEY"])
    assert (serves["BROKER_URL"], serves["CACHE_URL"]) == (run["broker"], run["cache"])
    assert serves["PORT"] == run["http"].rpartition(":")[2]
    assert serves["STATE_DIR"] == str(state)
    assert (prepares["OPERATOR_EMAIL"], prepares["OPERATOR_PASSWORD"]) == (login.email, login.password)


def test_nothing_is_embedded_where_an_url_is_given(application: Any, state: Path, environ: dict[str, str]) -> None:
    given = {
        **environ,
        "SECRET_KEY": "s" * 50,
        "DATABASE_URL": "postgresql://admin:secret@db.example:5432/shop",
        "BROKER_URL": "redis://broker.example/0",
        "CACHE_URL": "redis://cache.example/1",
    }
    with application.running(application.small_plan(state), state, given):
        run = application.run_of(state)

    assert [process["name"] for process in run["processes"]] == ["web", "worker", "relay"]
    assert run["databases"]["orders"] == role_url(given["DATABASE_URL"], "orders", given["SECRET_KEY"])
    assert (run["broker"], run["cache"]) == (given["BROKER_URL"], given["CACHE_URL"])
    assert not (state / "postgres").exists()


def test_a_domain_with_a_database_of_its_own_leaves_the_others_embedded(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    own = "postgresql://users:secret@db.example:5432/users"
    with application.running(
        application.small_plan(state), state, {**environ, "USERS_DATABASE_URL": own, "SECRET_KEY": "s" * 50}
    ):
        run = application.run_of(state)

    assert run["databases"]["users"] == own
    assert "@127.0.0.1:" in run["databases"]["orders"]
    assert run["processes"][0]["domains"] == ["inventory", "payments", "orders"]


def test_one_group_has_plain_names_and_several_carry_their_domains(application: Any, state: Path) -> None:
    def names(*groups: tuple[str, ...]) -> list[str]:
        return [spec.name for spec in process_specs(groups, state)]

    assert names(application.DOMAINS) == ["web", "worker", "relay"]
    assert names(("users", "inventory"), ("orders",)) == [
        "web-users+inventory",
        "web-orders",
        "worker-users+inventory",
        "worker-orders",
        "relay-users+inventory",
        "relay-orders",
    ]


def test_what_a_topology_needs_is_planned_and_a_gateway_only_before_several_groups(state: Path) -> None:
    split, single = (Topology.parse("orders|payments|users,inventory"), Topology.single())

    assert [spec.name for spec in plan_for(single, state=state).processes] == ["web", "worker", "relay"]
    plan = plan_for(split, state=state)
    assert [spec.name for spec in plan.processes] == [
        *(
            f"{role}-{group}"
            for role in ("web", "worker", "relay")
            for group in ("users+inventory", "payments", "orders")
        ),
        "gateway",
    ]
    assert plan.topology == split


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"OPERATOR_EMAIL": "me@example.com", "OPERATOR_PASSWORD": "mine"}, False),
        ({"OPERATOR_EMAIL": "me@example.com"}, True),
        ({"OPERATOR_PASSWORD": "mine"}, True),
        ({}, True),
    ],
)
def test_what_an_operator_does_not_name_is_generated_once_and_kept(
    state: Path, given: dict[str, str], kept: bool
) -> None:
    state.mkdir()
    first, second = operator_login(state, given), operator_login(state, given)

    assert (first.email, first.password) == (second.email, second.password)
    assert first.email == given.get("OPERATOR_EMAIL", "operator@example.com")
    assert first.password == given.get("OPERATOR_PASSWORD", first.password) != ""
    assert (state / "operator.json").exists() is kept
    assert (first.is_new, second.is_new) == (kept, False)
    if kept:
        assert (state / "operator.json").stat().st_mode & 0o777 == 0o600
