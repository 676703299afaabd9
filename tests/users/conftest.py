"""Somebody to be, and the letters they get."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core import mail
from django.db import connections
from rest_framework.test import APIClient

from apps.users.service import SERVICE
from runtime.identity.tokens import issue

PASSWORD = "a difference engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account, and a client that is signed in to it."""

    id: UUID
    email: str
    client: APIClient

    @property
    def path(self) -> str:
        return f"/api/users/{self.id}"

    def sign_in(self, password: str = PASSWORD) -> Any:
        body = {"email": self.email, "password": password}
        return APIClient(raise_request_exception=False).post("/api/users/token", body)

    def refresh(self, token: str) -> int:
        client = APIClient(raise_request_exception=False)
        return client.post("/api/users/token/refresh", {"refresh": token}).status_code


@pytest.fixture(autouse=True)
def unlimited(settings: Any) -> None:
    """Whoever tests the limits says so."""
    settings.SIGN_IN_LIMIT = settings.MAIL_LIMIT = "off"


@pytest.fixture(autouse=True)
def clock_back() -> Iterator[None]:
    """No test leaves its clock shifted."""
    yield
    for connection in connections.all(initialized_only=True):
        if connection.alias == "users" and connection.connection is not None:
            connection.close()


@pytest.fixture
def nobody() -> APIClient:
    return APIClient(raise_request_exception=False)


@pytest.fixture
def person() -> Callable[..., Person]:
    """``person("operator")``: a new account with these roles (a customer's where none is said)."""

    def make(*roles: str, email: str = "", name: str = "Ada Lovelace") -> Person:
        account = SERVICE.register(email=email or f"{uuid4()}@users.example", name=name, password=PASSWORD)
        if roles:
            SERVICE.set_roles(user_id=account.id, roles=roles)
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue(user_id=account.id, roles=roles or ('customer',))}")
        return Person(id=account.id, email=account.email, client=client)

    return make


@pytest.fixture
def ada(person: Callable[..., Person]) -> Person:
    return person(email="ada@example.com")


@pytest.fixture
def letters() -> Callable[[], list[Any]]:
    """Sends what is due, and gives all letters that were sent since the last look."""

    def fetch() -> list[Any]:
        while SERVICE.send_due_mail():
            pass
        sent = list(mail.outbox)
        mail.outbox.clear()
        return sent

    return fetch


def token_in(letter: Any) -> str:
    """What stands behind the # of the letter's link."""
    found = re.search(r"^ +http\S+#(\S+)$", letter.body, re.MULTILINE)
    assert found, letter.body
    return found[1]
