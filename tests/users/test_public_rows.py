"""Health, keys, schema and documentation: the addresses for machines, with every answer that they promise."""

from __future__ import annotations

from datetime import datetime

import jwt
import pytest
from django.test import Client
from jwt.algorithms import RSAAlgorithm

from runtime.identity.tokens import AUDIENCE, issue

DOMAINS = ["users", "inventory", "payments", "orders"]


@pytest.fixture
def bad_token() -> Client:
    return Client(headers={"authorization": "Bearer expired.long.ago"})


@pytest.mark.parametrize("address", ["/health", "/health/live", "/health/ready"])
def test_health_says_what_was_asked_and_how_long_it_took(committed, bad_token, address):
    answer = bad_token.get(address)

    assert answer.status_code == 200
    assert answer.json().keys() == {"status", "timestamp", "checks"}
    assert datetime.fromisoformat(answer.json()["timestamp"]).tzinfo is not None
    for check in answer.json()["checks"].values():
        assert check.keys() == {"status", "duration"}
    assert bad_token.post(address).status_code == 405


def test_not_ready_is_503_with_the_check_that_failed_while_live_is_200(committed, settings):
    settings.CACHE_URL = "redis://127.0.0.1:1/0"

    ready = Client().get("/health/ready")

    assert (ready.status_code, ready.json()["status"]) == (503, "unhealthy")
    failed = {name: check for name, check in ready.json()["checks"].items() if "error" in check}
    assert failed.keys() == {"cache"}
    assert Client().get("/health/live").status_code == 200


def test_the_published_keys_are_enough_to_check_a_token_with(bad_token):
    from uuid import uuid4

    answer = bad_token.get("/.well-known/jwks.json")

    assert answer.status_code == 200
    assert "max-age" in answer["Cache-Control"]
    token = issue(user_id=uuid4(), roles=["customer"])
    keys = {key["kid"]: key for key in answer.json()["keys"]}
    published = keys[jwt.get_unverified_header(token)["kid"]]
    assert published.keys() == {"kty", "n", "e", "kid", "use", "alg"}
    assert jwt.decode(token, RSAAlgorithm.from_jwk(published), algorithms=["RS256"], audience=AUDIENCE)["roles"]
    assert bad_token.post("/.well-known/jwks.json").status_code == 405


@pytest.mark.parametrize("address", ["/api/schema", *(f"/api/{domain}/schema" for domain in DOMAINS)])
def test_the_schema_is_openapi_3_1_for_anybody(bad_token, address):
    answer = bad_token.get(address)

    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    assert answer.json()["paths"]
    assert bad_token.delete(address).status_code == 405


def test_the_documentation_is_a_page_for_anybody(bad_token):
    answer = bad_token.get("/api/docs")

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/html")
    assert bad_token.put("/api/docs").status_code == 405


@pytest.mark.parametrize("address", ["/metrics", "/internal", "/internal/contracts/users/get", "/api", "/nothing"])
def test_what_is_not_for_outside_is_not_there(address):
    answer = Client().get(address)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
