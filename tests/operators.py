"""Whoever works for the shop, signed in to the console with Django's test client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from uuid import UUID, uuid4

import pytest
from django.test import Client

PASSWORD = "an operator's password"


class Operator(Client):
    """A browser in which somebody is signed in."""

    id: UUID
    email: str

    def act(self, address: str, **values: object):
        """Open an action's page, fill in its form and send it."""
        page = self.get(address)
        assert page.status_code == 200, page.content.decode()
        return self.send(address, {"key": str(page.context["form"].initial["key"]), **values})

    def send(self, address: str, form: Mapping[str, object]):
        """The form as it is; and once more where it is answered with what exactly will happen."""
        answer = self.post(address, form)
        if answer.status_code == 200 and (seen := answer.context["seen"]):
            return self.post(address, {**form, "seen": seen})
        return answer


@pytest.fixture(autouse=True)
def nobody_is_remembered() -> Iterator[None]:
    from runtime.console import identity

    identity.forget()
    yield
    identity.forget()


@pytest.fixture
def account() -> Callable[..., tuple[UUID, str]]:
    """``account("support")``: a new account with these roles; its id and its e-mail address."""
    from apps.users.service import SERVICE

    def make(*roles: str) -> tuple[UUID, str]:
        email = f"{uuid4()}@console.example"
        made = SERVICE.register(email=email, name="Somebody", password=PASSWORD)
        SERVICE.set_roles(user_id=made.id, roles=roles)
        return made.id, email

    return make


@pytest.fixture
def sign_in(account: Callable[..., tuple[UUID, str]]) -> Callable[..., Operator]:
    """``sign_in("operator")``: somebody new with these roles, at the console."""

    def enter(*roles: str) -> Operator:
        operator = Operator(headers={"accept": "text/html"})
        operator.id, operator.email = account(*roles)
        answer = operator.post("/admin/login/", {"username": operator.email, "password": PASSWORD})
        assert answer.status_code == 302, answer.content.decode()
        return operator

    return enter
