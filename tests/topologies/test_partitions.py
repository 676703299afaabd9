"""A shop in several sets of processes is the same shop, and each process has only what is its own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import pytest
import urllib3

from config.demonstration import Demonstration
from config.topology import DOMAINS, Topology
from tests.shop import OPERATOR, PASSWORD, Shop


def environment_of(partition: Shop, name: str) -> dict[str, str]:
    """What a running process was told."""
    entries = Path(f"/proc/{partition.pid(name)}/environ").read_bytes().decode().split("\0")
    return dict(entry.partition("=")[::2] for entry in entries if entry)


def groups_of(partition: Shop) -> dict[str, Any]:
    return dict(partition.run["groups"])


def await_another(partition: Shop, name: str, before: int) -> None:
    """Until the process of this name is another one."""

    def pids() -> set[int]:
        return {each["pid"] for each in partition.run.get("processes", []) if each["name"] == name}

    partition.wait_until(lambda: pids() - {before}, limit=10)


# --- The same shop --------------------------------------------------------------------------------------------------


def test_the_nine_outcomes_are_as_in_one_process_and_the_books_hold(partition: Shop) -> None:
    demonstration = Demonstration(partition.run["http"], operator_email=OPERATOR, operator_password=PASSWORD)
    outcomes = demonstration.run(doing=lambda _: None, stop_if_told=lambda: None)

    assert [outcome.tried for outcome in outcomes if not outcome.is_expected] == []
    assert len(outcomes) == 9
    verified, sagas = partition.manage("verify"), partition.manage("sagas", "list")
    assert (verified.returncode, verified.stdout.splitlines()[-1:]) == (0, ["All 8 hold."]), verified.stderr
    assert (sagas.returncode, sagas.stdout) == (0, "No process is under way or stuck.\n"), sagas.stderr


def test_the_timeline_tells_of_what_other_groups_did(partition: Shop) -> None:
    sku, token, trace_id = partition.product(stock=3), partition.customer(), uuid4().hex
    placed = partition.place(token, {sku: 1}, traceparent=f"00-{trace_id}-00f067aa0ba902b7-01")
    assert placed.status == 201

    items = partition.send("GET", f"/api/orders/{placed.body['id']}/timeline", token=partition.operator).body["items"]

    assert {item["source"] for item in items} == {"orders", "inventory", "payments"}
    assert {item["traceId"] for item in items} == {trace_id}


def test_whoever_is_erased_is_forgotten_by_the_other_groups_too(partition: Shop) -> None:
    sku, email = partition.product(stock=3), f"{uuid4()}@journeys.example"
    user = {"email": email, "name": "Ada", "password": PASSWORD}
    user_id = partition.send("POST", "/api/users", user).body["id"]
    token = partition.sign_in(email)
    body = {"items": [{"sku": sku, "quantity": 1}], "paymentMethod": "pm_card_visa", "note": "for Ada"}
    order_id = partition.send("POST", "/api/orders", body, token=token, idempotency_key=str(uuid4())).body["id"]
    words = "SELECT text FROM orders_ordernote WHERE order_id = %s"
    assert partition.sql("orders", words, order_id) == [("for Ada",)]

    assert partition.send("DELETE", f"/api/users/{user_id}", token=token).status == 204

    partition.wait_until(lambda: partition.sql("orders", words, order_id) == [], limit=20)
    heard = "SELECT 1 FROM messaging_inboxmessage WHERE subject = %s AND handled_at IS NOT NULL"
    partition.wait_until(lambda: partition.sql("payments", heard, user_id) == [(1,)], limit=20)
    assert partition.order(order_id)["status"] == "confirmed"
    assert partition.send("POST", "/api/users/token", {"email": email, "password": PASSWORD}).status == 401


# --- What is whose --------------------------------------------------------------------------------------------------


def test_each_process_is_told_its_own_and_no_more(partition: Shop) -> None:
    for group, answers in groups_of(partition).items():
        domains = answers["domains"]
        for role in ("web", "worker", "relay"):
            told = environment_of(partition, f"{role}-{group}")
            databases = {name: value for name, value in told.items() if name.endswith("DATABASE_URL")}
            assert told["DOMAINS"] == ",".join(domains)
            # Where the sandbox tells of payments, among other things: its own door, not the gateway.
            assert f"http://127.0.0.1:{told['PORT']}" == answers["http"]
            assert databases == {f"{d.upper()}_DATABASE_URL": partition.run["databases"][d] for d in domains}
            others = {f"{domain.upper()}_URL" for domain in DOMAINS if domain not in domains}
            assert {name for name in told if name in {f"{domain.upper()}_URL" for domain in DOMAINS}} == others
            assert ("JWT_SIGNING_KEY" in told, "JWKS_URL" in told) == ("users" in domains, "users" not in domains)
            assert ("SANDBOX_WEBHOOK_SECRET" in told) is ("payments" in domains)
            assert not {"OPERATOR_PASSWORD", "TOPOLOGY"} & told.keys()
            assert told["RATE_LIMIT_ANONYMOUS"] == "off"
    assert not any(name.endswith(("_URL", "_KEY")) for name in environment_of(partition, "gateway"))


def test_each_group_has_a_server_of_its_own_and_a_role_is_known_at_home_alone(partition: Shop) -> None:
    urls = {domain: urlsplit(url) for domain, url in partition.run["databases"].items()}
    groups = [answers["domains"] for answers in groups_of(partition).values()]
    ports = [{urls[domain].port for domain in domains} for domains in groups]

    assert [len(port) for port in ports] == [1] * len(groups)
    assert len(set.union(*ports)) == len(groups)
    for domains, other in zip(groups, [*groups[1:], groups[0]], strict=True):
        visitor, elsewhere = urls[domains[0]], urls[other[0]]
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(
                visitor._replace(netloc=f"{visitor.username}:{visitor.password}@127.0.0.1:{elsewhere.port}").geturl()
            )


def test_what_a_group_counts_are_its_own_requests(partition: Shop) -> None:
    assert partition.send("GET", "/api/orders", token=partition.operator).status == 200
    counted = 'http_server_request_duration_seconds_count{method="GET",route="/api/orders",status="200"}'

    found = {
        group: counted in urllib3.request("GET", f"{answers['inside']}/metrics").data.decode()
        for group, answers in groups_of(partition).items()
    }

    assert found == {group: "orders" in answers["domains"] for group, answers in groups_of(partition).items()}


def test_run_json_and_the_topology_command_tell_the_same_and_no_second_set_is_started(partition: Shop) -> None:
    told = json.loads(partition.manage("topology", "--json").stdout)
    second = partition.manage("up")

    topology = Topology.parse(partition.run["topology"])
    assert told["topology"] == topology.name
    assert [tuple(place["domains"]) for place in told["places"]] == list(topology.groups)
    for place, (name, answers) in zip(told["places"], groups_of(partition).items(), strict=True):
        assert (place["http"], place["inside"]) == (answers["http"], answers["inside"])
        assert place["processes"] == [f"{role}-{name}" for role in ("postgres", "web", "worker", "relay")]
    crossing = {(tie["source"], tie["target"]) for tie in told["calls"] if tie["crosses"]}
    assert crossing == {("orders", domain) for domain in ("users", "inventory", "payments")}
    assert not any(urlsplit(url).password in str(told) for url in partition.run["databases"].values())
    assert second.returncode == 1
    assert "already runs everything in" in second.stderr


# --- When something is gone -----------------------------------------------------------------------------------------


def test_a_token_is_good_while_users_is_silent_also_to_a_process_that_starts_meanwhile(partition: Shop) -> None:
    token = partition.customer()
    users = next(name for name in groups_of(partition) if "users" in name.split("+"))
    stalled, before = partition.pid(f"web-{users}"), partition.pid("web-orders")
    assert partition.send("GET", "/api/orders", token=token).status == 200
    os.killpg(stalled, signal.SIGSTOP)
    try:
        partition.kill_group("web-orders")
        await_another(partition, "web-orders", before)
        partition.wait_until(lambda: partition.send("GET", "/api/orders", token=token).status == 200, limit=20)
        assert partition.send("GET", "/api/orders", token=f"{token[:-4]}AAAA").status == 401
    finally:
        os.killpg(stalled, signal.SIGCONT)
    partition.await_ready()


def test_a_gateway_that_dies_is_started_again_with_its_address(partition: Shop) -> None:
    before, url = partition.pid("gateway"), partition.run["http"]
    partition.kill_group("gateway")

    await_another(partition, "gateway", before)
    partition.await_ready()
    assert partition.run["http"] == url
    assert partition.send("GET", "/api/inventory/products").status == 200
