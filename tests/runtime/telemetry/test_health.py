"""Whether the process lives, and whether what it needs answers."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from django.db import connections
from django.test import Client

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
    from runtime.telemetry import health

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
