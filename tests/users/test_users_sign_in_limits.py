"""Failed sign-ins are limited, for each account and for each address; good ones are not counted."""

from __future__ import annotations

from uuid import uuid4

import pytest
import redis
from rest_framework.test import APIClient

from apps.users.service import SERVICE

pytestmark = pytest.mark.django_db

ADA = {"email": "ada@example.com", "name": "Ada", "password": "a difference engine"}


@pytest.fixture
def ada(db):
    return SERVICE.register(**ADA).id


@pytest.fixture
def limited(settings) -> APIClient:
    settings.SIGN_IN_LIMIT = "3/15m"
    redis.Redis.from_url(settings.CACHE_URL).flushdb()
    return APIClient(raise_request_exception=False)


def attempt(client: APIClient, email: str, address: str, password: str = "wrong one", **headers: str):
    body = {"email": email, "password": password}
    return client.post("/api/users/token", body, REMOTE_ADDR=address, headers=headers)


def test_failed_attempts_are_limited_for_each_account_from_any_address(limited, ada):
    email = ADA["email"]
    refusals = [attempt(limited, email, f"198.51.100.{n}").status_code for n in range(5)]

    right = attempt(limited, email.upper(), "198.51.100.99", ADA["password"])

    assert refusals == [401, 401, 401, 429, 429]
    assert right.status_code == 429
    assert right.json()["code"] == "rate_limited"
    assert 0 < int(right["Retry-After"]) <= 15 * 60


def test_an_account_that_does_not_exist_is_limited_like_one_that_does(limited, ada):
    unknown = f"{uuid4()}@example.com"
    refusals = [attempt(limited, unknown, f"198.51.100.{n + 100}").status_code for n in range(4)]

    assert refusals == [401, 401, 401, 429]


def test_failed_attempts_are_limited_for_each_address_over_many_accounts(limited, ada):
    refusals = [attempt(limited, f"{uuid4()}@example.com", "203.0.113.7").status_code for _ in range(4)]

    assert refusals == [401, 401, 401, 429]
    assert attempt(limited, f"{uuid4()}@example.com", "203.0.113.8").status_code == 401


def test_a_header_of_the_clients_own_does_not_give_it_a_new_address(limited, ada):
    statuses = [
        attempt(limited, f"{uuid4()}@example.com", "203.0.113.9", **{"X-Forwarded-For": f"192.0.2.{n}"}).status_code
        for n in range(4)
    ]

    assert statuses == [401, 401, 401, 429]


def test_good_attempts_are_not_counted(limited, ada):
    statuses = [attempt(limited, ADA["email"], "203.0.113.10", ADA["password"]).status_code for _ in range(6)]

    assert statuses == [200] * 6
