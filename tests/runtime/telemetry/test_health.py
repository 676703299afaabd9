"""Whether the process lives, and whether what it needs answers."""

from __future__ import annotations

import re
import time
from datetime import datetime

import pytest
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from runtime.telemetry import health

READY = ["/health", "/health/ready"]
ALL = {"database-users", "database-inventory", "database-payments", "database-orders", "cache"}


@pytest.mark.parametrize("address", READY)
def test_ready_asks_every_hosted_database_and_the_cache(committed, address):
    answer = Client().get(address)

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"status", "timestamp", "checks"}
    assert body["status"] == "healthy"
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert set(body["checks"]) == ALL
    assert all(set(check) == {"status", "duration"} for check in body["checks"].values())
    assert {check["status"] for check in body["checks"].values()} == {"healthy"}
    assert "no-" in answer["Cache-Control"]


def test_a_cache_that_is_away_makes_it_unready_without_saying_where_it_was(committed, settings):
    settings.CACHE_URL = "redis://:sesame@127.0.0.1:1/0"

    answer = Client().get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["status"] == "unhealthy"
    check = answer.json()["checks"]["cache"]
    assert (check["status"], check["error"]) == ("unhealthy", "The cache does not answer.")
    assert "sesame" not in answer.content.decode()


def test_a_database_that_is_away_makes_it_unready_without_saying_where_it_was(committed, settings, monkeypatch):
    settings.HOSTED_DOMAINS = ("orders",)
    settings.CACHE_URL = None
    for name, value in {"HOST": "127.0.0.1", "PORT": "1", "NAME": "secret-name"}.items():
        monkeypatch.setitem(connections.settings["orders"], name, value)

    answer = Client().get("/health/ready")

    assert answer.status_code == 503
    check = answer.json()["checks"]["database-orders"]
    assert (check["status"], check["error"]) == ("unhealthy", "The database does not answer.")
    assert "secret-name" not in answer.content.decode()


def test_a_database_that_hangs_is_given_up_after_two_seconds(settings, monkeypatch):
    settings.HOSTED_DOMAINS = ("orders",)
    settings.CACHE_URL = None
    monkeypatch.setattr(health.Database, "run", lambda check: time.sleep(4))
    started = time.monotonic()

    answer = Client().get("/health/ready")

    assert answer.status_code == 503
    assert time.monotonic() - started < 3.5


def test_live_asks_nobody():
    """No database mark: a query would be refused."""
    answer = Client().get("/health/live")

    assert (answer.status_code, answer.json()["status"], answer.json()["checks"]) == (200, "healthy", {})


@pytest.mark.parametrize("address", ["/health/live"])
@pytest.mark.parametrize("accept", ["text/html", "application/rss+xml", "nonsense", ""])
def test_the_answer_is_json_whatever_is_accepted(address, accept):
    answer = Client().get(address, headers={"accept": accept})

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_other_methods_are_refused_and_head_is_answered():
    for address in ("/health/live", "/health/ready", "/.well-known/jwks.json", "/api/schema"):
        refused = Client().post(address)
        assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
        assert "GET" in refused["Allow"]
    assert Client().head("/health/live").status_code == 200


# --- Of one domain, and at the start --------------------------------------------------------------------------------


def test_a_domain_is_ready_by_itself_while_anothers_database_is_away(committed, settings, monkeypatch):
    settings.HOSTED_DOMAINS = ("orders", "users")
    for name, value in {"HOST": "127.0.0.1", "PORT": "1"}.items():
        monkeypatch.setitem(connections.settings["users"], name, value)

    ready, away, whole = (Client().get(f"/health/ready{path}") for path in ("/orders", "/users", ""))

    assert (ready.status_code, set(ready.json()["checks"])) == (200, {"database-orders", "cache"})
    assert (away.status_code, set(away.json()["checks"])) == (503, {"database-users", "cache"})
    failed = {name for name, check in whole.json()["checks"].items() if check["status"] == "unhealthy"}
    assert (whole.status_code, failed) == (503, {"database-users"})


@pytest.mark.parametrize("domain", ["payments", "shipping"])
def test_a_domain_that_is_not_hosted_here_is_not_here_to_be_ready(settings, domain):
    settings.HOSTED_DOMAINS = ("orders",)

    answer = Client().get(f"/health/ready/{domain}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_database_that_lacks_a_migration_makes_it_unready_and_is_told_which(committed, settings, monkeypatch):
    settings.HOSTED_DOMAINS = ("orders",)
    settings.CACHE_URL = None
    monkeypatch.setattr(health, "_UP_TO_DATE", set())
    applied = MigrationRecorder.applied_migrations

    def without_the_last_one(recorder):
        found = applied(recorder)
        del found[max(name for name in found if name[0] == "orders")]
        return found

    monkeypatch.setattr(MigrationRecorder, "applied_migrations", without_the_last_one)
    lacking = Client().get("/health/ready")
    monkeypatch.setattr(MigrationRecorder, "applied_migrations", applied)

    assert lacking.status_code == 503
    error = lacking.json()["checks"]["database-orders"]["error"]
    assert re.fullmatch(r"The database lacks orders\.\d{4}\w+: run manage\.py migrate\.", error)
    assert Client().get("/health/ready").status_code == 200


def test_it_has_started_when_its_domains_are_loaded_whoever_is_away(settings):
    """No database mark: a query would be refused."""
    settings.HOSTED_DOMAINS = ("orders", "users")
    settings.CACHE_URL = "redis://127.0.0.1:1/0"

    answer = Client().get("/health/startup")

    body = answer.json()
    assert (answer.status_code, body["status"], set(body["checks"])) == (200, "healthy", {"code-orders", "code-users"})
    assert all(set(check) == {"status", "duration"} for check in body["checks"].values())


def test_what_cannot_be_loaded_is_named_and_the_reason_is_for_the_log(settings, caplog):
    settings.HOSTED_DOMAINS = ("orders", "users")
    settings.SERVICES = {**settings.SERVICES, "users": "apps.users.elsewhere.SERVICE"}

    answer = Client().get("/health/startup")

    failed = {name: check for name, check in answer.json()["checks"].items() if check["status"] == "unhealthy"}
    assert (answer.status_code, set(failed)) == (503, {"code-users"})
    assert failed["code-users"]["error"] == "The code cannot be loaded."
    assert "elsewhere" not in answer.content.decode()
    assert "elsewhere" in caplog.text


def test_neither_live_nor_start_up_nor_ready_asks_a_neighbour(committed, settings):
    """What a neighbour's failure could make start again, or take out of service."""
    settings.HOSTED_DOMAINS = ("orders",)
    settings.SERVICE_URLS = dict.fromkeys(("users", "inventory", "payments"), "http://127.0.0.1:1")

    for path in ("live", "startup", "ready", "ready/orders"):
        assert Client().get(f"/health/{path}").status_code == 200, path
