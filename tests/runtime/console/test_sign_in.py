"""Who gets into the console, and how they get out of it."""

from __future__ import annotations

import pytest
import redis
from django.http import HttpResponse
from django.test import Client

from apps.users.service import SERVICE
from contracts._base import Unavailable
from runtime.console import identity
from tests.operators import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"


def enter(client: Client, email: str, password: str = PASSWORD, address: str = LOGIN, **more: object) -> HttpResponse:
    return client.post(address, {"username": email, "password": password}, **more)


@pytest.mark.parametrize("role", ["support", "operator", "administrator"])
def test_whoever_works_for_the_shop_gets_in_with_their_password(role: str, account) -> None:
    client, (_, email) = Client(), account(role)

    answer = enter(client, email.upper())

    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    page = client.get("/admin/")
    assert page.status_code == 200
    assert email.upper() in page.content.decode()


def test_a_customer_a_wrong_password_and_a_stranger_are_told_the_same(account) -> None:
    _, customer = account("customer")
    _, operator = account("operator")

    answers = [enter(Client(), customer), enter(Client(), operator, "wrong one"), enter(Client(), "no@one.example")]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert len({answer.context["form"].errors["__all__"][0] for answer in answers}) == 1
    assert all("console" not in answer.cookies for answer in answers)


def test_a_closed_account_does_not_get_in(account) -> None:
    user_id, email = account("operator")
    SERVICE.change(user_id=user_id, active=False)

    assert enter(Client(), email).status_code == 401


@pytest.mark.parametrize("address", ["/admin/", "/admin/orders/order/", "/admin/orders/order/1/change/"])
def test_whoever_is_not_signed_in_is_sent_to_sign_in_and_comes_back(address: str, account) -> None:
    client, (_, email) = Client(), account("support")

    asked = client.get(address)
    assert (asked.status_code, asked["Location"]) == (302, f"{LOGIN}?next={address}")

    assert enter(client, email, address=asked["Location"])["Location"] == address


@pytest.mark.parametrize(
    "target",
    ["https://elsewhere.example/admin/", "//elsewhere.example/admin/", "/api/users", "/admin/login/", "javascript:x"],
)
def test_nobody_is_sent_anywhere_but_to_the_console(target: str, account) -> None:
    _, email = account("support")

    assert enter(Client(), email, address=f"{LOGIN}?next={target}")["Location"] == "/admin/"


def test_whoever_is_signed_in_needs_not_sign_in_again(sign_in) -> None:
    assert sign_in("support").get(LOGIN)["Location"] == "/admin/"


def test_signing_out_takes_the_cookie_away(sign_in) -> None:
    client = sign_in("support")

    answer = client.post("/admin/logout/")

    assert answer["Location"] == LOGIN
    assert answer.cookies["console"]["max-age"] == 0
    assert client.get("/admin/").status_code == 302


def test_signing_out_is_not_done_by_following_a_link(sign_in) -> None:
    client = sign_in("support")

    assert client.get("/admin/logout/").status_code == 405
    assert client.get("/admin/").status_code == 200


def test_a_sign_in_from_another_site_is_refused(account) -> None:
    _, email = account("operator")

    answer = enter(Client(enforce_csrf_checks=True), email)

    assert answer.status_code == 403
    assert "did not come from a page of ours" in answer.content.decode()
    assert "console" not in answer.cookies


def test_a_form_without_a_password_is_shown_again() -> None:
    answer = enter(Client(), "", "")

    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"username", "password"}


def test_where_users_cannot_be_asked_nobody_gets_in(account, monkeypatch) -> None:
    _, email = account("operator")

    def unavailable(**arguments: object) -> None:
        raise Unavailable

    monkeypatch.setattr(SERVICE, "authenticate", unavailable)
    monkeypatch.setattr(identity, "_users", lambda: SERVICE)

    assert enter(Client(), email).status_code == 503


# --- Failed attempts --------------------------------------------------------------------------------------------------


@pytest.fixture
def limited(settings) -> None:
    settings.SIGN_IN_LIMIT = "3/15m"
    redis.Redis.from_url(settings.CACHE_URL).flushdb()


def test_failed_attempts_are_limited_together_with_those_at_the_api(limited, account) -> None:
    _, email = account("operator")
    body = {"email": email, "password": "wrong one"}
    api = Client().post("/api/users/token", body, content_type="application/json", REMOTE_ADDR="198.51.100.1")
    refusals = [enter(Client(), email, "wrong one", REMOTE_ADDR=f"198.51.100.{n}").status_code for n in (2, 3, 4)]

    right = enter(Client(), email, REMOTE_ADDR="198.51.100.5")

    assert (api.status_code, refusals) == (401, [401, 401, 429])
    assert right.status_code == 429
    assert "console" not in right.cookies


def test_a_customers_password_is_no_free_attempt(limited, account) -> None:
    _, email = account("customer")

    statuses = [enter(Client(), email, REMOTE_ADDR="198.51.100.1").status_code for _ in range(4)]

    assert statuses == [401, 401, 401, 429]


def test_good_attempts_are_not_counted(limited, account) -> None:
    _, email = account("operator")

    assert [enter(Client(), email).status_code for _ in range(5)] == [302] * 5


# --- How often one may ask --------------------------------------------------------------------------------------------


def test_operators_are_not_counted_and_strangers_are(settings, sign_in) -> None:
    operator, stranger = sign_in("support"), Client()
    redis.Redis.from_url(settings.CACHE_URL).flushdb()
    settings.RATE_LIMIT_ANONYMOUS = "2/15m"

    assert [operator.get("/admin/").status_code for _ in range(4)] == [200] * 4
    assert [stranger.get("/admin/").status_code for _ in range(3)] == [302, 302, 429]
    refused = stranger.get("/admin/")
    assert (refused.status_code, refused["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert int(refused["Retry-After"]) > 0
    assert "Too many requests" in refused.content.decode()
