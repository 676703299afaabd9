"""Each process is told its own secrets and where its neighbours answer, and none of their secrets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config.environment import read
from config.supervision.doors import Doors
from config.supervision.processes import process_specs
from config.supervision.telling import told_to_serve
from config.topology import Topology

GIVEN = {
    "PATH": "/usr/bin",
    "SECRET_KEY": "a",
    "SERVICE_KEY": "b",
    "JWT_SIGNING_KEY": "c",
    "SANDBOX_WEBHOOK_SECRET": "d",
    "STRIPE_API_KEY": "sk_test_e",
    "STRIPE_WEBHOOK_SECRET": "f",
    "EMAIL_URL": "smtp://me:g@mail.example",
    "OPERATOR_EMAIL": "me@example.com",
    "OPERATOR_PASSWORD": "h",
    "TOPOLOGY": "users,orders|inventory,payments",
    # As the embedded servers are told of, to whoever prepares them.
    **{
        f"{domain}DATABASE_URL": "postgresql://administrator:i@db.example/shop"
        for domain in ("", "USERS_", "ORDERS_", "INVENTORY_", "PAYMENTS_")
    },
    "ALLOWED_HOSTS": "shop.example",
    "TRUSTED_PROXIES": "10.0.0.0/8",
    "RATE_LIMIT_ANONYMOUS": "7/1m",
}
SECRETS = {name: GIVEN[name] for name in ("JWT_SIGNING_KEY", "SANDBOX_WEBHOOK_SECRET", "STRIPE_API_KEY", "EMAIL_URL")}


@pytest.fixture
def told(tmp_path) -> Iterator[dict[str, dict[str, str]]]:
    """What each process of two groups is told, by its name; the doors' addresses under ``doors``."""
    yield from _told(tmp_path, GIVEN)


def _told(folder, given: dict[str, str]) -> Iterator[dict[str, dict[str, str]]]:
    given = {**given, "STATE_DIR": str(folder)}
    specs = process_specs(Topology.parse(given["TOPOLOGY"]).groups, folder)
    doors = Doors()
    doors.open(front="gateway", webs={spec.name: spec.domains for spec in specs if spec.door}, port="0")
    groups = {"+".join(group): group for group in doors.groups()}
    addresses = {
        f"{name} {side}": doors.url(group, side) for name, group in groups.items() for side in ("public", "inside")
    }
    found = {spec.name: told_to_serve(spec, given=given, settings=read(given), doors=doors) for spec in specs}
    yield {**found, "doors": {**addresses, "front": doors.front}}
    doors.close()


@pytest.mark.parametrize("role", ["web", "worker", "relay"])
def test_a_secret_is_told_where_its_domain_is_hosted_and_nowhere_else(told, role):
    signing, paying = told[f"{role}-users+orders"], told[f"{role}-inventory+payments"]

    assert {name: signing.get(name) for name in SECRETS} == {
        "JWT_SIGNING_KEY": "c",
        "SANDBOX_WEBHOOK_SECRET": None,
        "STRIPE_API_KEY": None,
        "EMAIL_URL": "smtp://me:g@mail.example",
    }
    assert {name: paying.get(name) for name in SECRETS} == {
        "JWT_SIGNING_KEY": None,
        "SANDBOX_WEBHOOK_SECRET": "d",
        "STRIPE_API_KEY": "sk_test_e",
        "EMAIL_URL": None,
    }
    for environment in (signing, paying):
        assert (environment["SECRET_KEY"], environment["SERVICE_KEY"], environment["PATH"]) == ("a", "b", "/usr/bin")
        assert not {"DATABASE_URL", "TOPOLOGY", "OPERATOR_EMAIL", "OPERATOR_PASSWORD"} & environment.keys()
        assert not any("administrator" in value for value in environment.values())


def test_a_process_is_told_the_databases_of_its_own_domains_as_their_running_roles(told):
    databases = {name: value for name, value in told["relay-users+orders"].items() if name.endswith("_DATABASE_URL")}

    assert {name: value.partition("://")[2].partition(":")[0] for name, value in databases.items()} == {
        "USERS_DATABASE_URL": "users",
        "ORDERS_DATABASE_URL": "orders",
    }


def test_neighbours_are_found_at_their_inside_ports_and_the_shop_at_the_gateway(told):
    doors = told["doors"]
    signing, paying = told["worker-users+orders"], told["web-inventory+payments"]

    assert {name: signing[name] for name in ("INVENTORY_URL", "PAYMENTS_URL")} == {
        "INVENTORY_URL": doors["inventory+payments inside"],
        "PAYMENTS_URL": doors["inventory+payments inside"],
    }
    assert not {"USERS_URL", "ORDERS_URL", "JWKS_URL"} & signing.keys()
    assert paying["JWKS_URL"] == f"{doors['users+orders inside']}/.well-known/jwks.json"
    assert f"http://127.0.0.1:{paying['PORT']}" == doors["inventory+payments public"]
    assert f"http://127.0.0.1:{paying['INSIDE_PORT']}" == doors["inventory+payments inside"]
    assert signing["PUBLIC_URL"] == paying["PUBLIC_URL"] == doors["front"]
    assert len(set(doors.values())) == 5


def test_behind_the_gateway_nobody_counts_who_is_not_signed_in_and_the_gateway_is_believed(told):
    for environment in (told["web-users+orders"], told["web-inventory+payments"]):
        assert environment["RATE_LIMIT_ANONYMOUS"] == "off"
        assert environment["TRUSTED_PROXIES"] == "10.0.0.0/8,127.0.0.1"
        assert environment["ALLOWED_HOSTS"] == "shop.example,127.0.0.1"


def test_the_processes_of_a_group_count_in_one_place_and_those_of_another_in_another(told):
    counting = {name: told[name]["PROMETHEUS_MULTIPROC_DIR"] for name in told if name not in {"doors", "gateway"}}

    assert counting["worker-users+orders"] == counting["relay-users+orders"] == counting["web-users+orders"]
    assert counting["web-users+orders"] != counting["web-inventory+payments"]


def test_what_the_environment_names_is_left_as_it_is(tmp_path):
    named = {
        "USERS_URL": "http://users.example:1",
        "JWKS_URL": "https://keys.example/jwks.json",
        "PUBLIC_URL": "https://shop.example",
        "ORDERS_DATABASE_URL": "postgresql://orders:own@orders.example/orders",
    }
    for told in _told(tmp_path, {**GIVEN, **named}):
        paying, selling = told["web-inventory+payments"], told["web-users+orders"]
        assert {name: paying[name] for name in ("USERS_URL", "JWKS_URL", "PUBLIC_URL")} == {
            name: named[name] for name in ("USERS_URL", "JWKS_URL", "PUBLIC_URL")
        }
        assert selling["ORDERS_DATABASE_URL"] == named["ORDERS_DATABASE_URL"]


def test_one_group_alone_has_no_gateway_and_counts_by_itself(tmp_path):
    for told in _told(tmp_path, {**GIVEN, "TOPOLOGY": "users,orders,inventory,payments"}):
        assert told["web"]["RATE_LIMIT_ANONYMOUS"] == "7/1m"
        assert told["web"]["ALLOWED_HOSTS"] == "shop.example"
        assert "JWKS_URL" not in told["web"]
