"""People change their own accounts, and those who may change others'."""

from __future__ import annotations

from uuid import uuid4

import pytest
import redis

from apps.users.models import RefreshFamily, User
from apps.users.service import SERVICE
from contracts.users import UserInactive
from runtime.messaging.models import OutboxMessage
from tests.users.conftest import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "an analytical engine"


def told(person) -> list[str]:
    """The events about somebody, without the first two of every account."""
    rows = OutboxMessage.objects.using("users").filter(subject=str(person.id)).order_by("sequence")
    return [row.event_type for row in rows if row.event_type != "UserRegistered"]


# --- One's own ------------------------------------------------------------------------------------------------------


def test_a_name_is_changed_and_told_without_saying_it(ada):
    answer = ada.client.patch(ada.path, {"name": "Ada King"})

    assert answer.status_code == 200
    assert answer.json() == ada.client.get(ada.path).json()
    assert answer.json()["name"] == "Ada King"
    assert told(ada) == ["UserUpdated"]
    assert OutboxMessage.objects.using("users").get(event_type="UserUpdated").data == {"userId": str(ada.id)}


@pytest.mark.parametrize("body", [{}, {"name": "Ada Lovelace"}, {"email": "ADA@example.com"}])
def test_what_changes_nothing_is_not_told(ada, body):
    assert ada.client.patch(ada.path, body).status_code == 200
    assert told(ada) == []


def test_all_that_is_given_is_changed_or_nothing(ada, person):
    person(email="grace@example.com")

    answer = ada.client.patch(ada.path, {"name": "Other", "email": "grace@example.com"})

    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert ada.client.get(ada.path).json()["name"] == "Ada Lovelace"
    assert told(ada) == []


def test_a_new_address_signs_in_has_to_be_confirmed_again_and_frees_the_old_one(ada, nobody):
    User.objects.using("users").filter(pk=ada.id).update(email_verified_at="2026-01-01T00:00:00Z")

    answer = ada.client.patch(ada.path, {"email": "Countess@Example.com"})

    assert answer.status_code == 200
    assert (answer.json()["email"], answer.json()["emailVerified"]) == ("countess@example.com", False)
    assert ada.sign_in().status_code == 401
    body = {"email": "countess@example.com", "password": PASSWORD}
    assert nobody.post("/api/users/token", body).status_code == 200
    registered = nobody.post("/api/users", {"email": ada.email, "name": "Another", "password": PASSWORD})
    assert registered.status_code == 201


@pytest.mark.parametrize("email", ["grace@example.com", "GRACE@example.com"])
def test_an_address_that_is_taken_is_refused_however_it_is_written(ada, person, email):
    person(email="grace@example.com")

    answer = ada.client.patch(ada.path, {"email": email})

    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert User.objects.using("users").get(pk=ada.id).email == ada.email


# --- One's own password ---------------------------------------------------------------------------------------------


def test_a_new_password_takes_the_old_ones_place_and_signs_out_whoever_was_signed_in(ada):
    phone, laptop = ada.sign_in().json()["refresh"], ada.sign_in().json()["refresh"]

    answer = ada.client.patch(ada.path, {"password": NEW, "currentPassword": PASSWORD})

    assert answer.status_code == 200
    assert [ada.refresh(phone), ada.refresh(laptop)] == [401, 401]
    assert ada.sign_in().status_code == 401
    assert ada.refresh(ada.sign_in(NEW).json()["refresh"]) == 200
    assert told(ada) == ["UserUpdated"]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"password": NEW}, "/currentPassword", "required"),
        ({"password": NEW, "currentPassword": "not it at all"}, "/currentPassword", "wrong_password"),
        ({"password": "short", "currentPassword": PASSWORD}, "/password", "min_length"),
        ({"password": "password1", "currentPassword": PASSWORD}, "/password", "password_too_common"),
        ({"password": None, "currentPassword": PASSWORD}, "/password", "null"),
    ],
)
def test_a_password_that_is_not_changed_says_why(ada, body, pointer, code):
    kept = ada.sign_in().json()["refresh"]

    answer = ada.client.patch(ada.path, {**body, "name": "Other"})

    assert answer.status_code == 400
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert ada.refresh(kept) == 200
    assert ada.sign_in().status_code == 200
    assert ada.client.get(ada.path).json()["name"] == "Ada Lovelace"


def test_guesses_at_the_current_password_are_limited(ada, settings):
    settings.SIGN_IN_LIMIT = "3/15m"
    redis.Redis.from_url(settings.CACHE_URL).flushdb()

    def guess(password: str) -> int:
        return ada.client.patch(ada.path, {"password": NEW, "currentPassword": password}).status_code

    assert [guess("wrong one") for _ in range(4)] == [400, 400, 400, 429]
    assert guess(PASSWORD) == 429


def test_a_sign_in_that_began_with_the_old_password_does_not_outlive_it(ada, monkeypatch):
    from apps.users import accounts

    checked = accounts.with_password

    def and_then_it_changes(email, password):
        user = checked(email, password)
        SERVICE.change(user_id=ada.id, password=NEW, current_password=PASSWORD)
        return user

    monkeypatch.setattr(accounts, "with_password", and_then_it_changes)

    assert ada.sign_in().status_code == 401
    assert not RefreshFamily.objects.using("users").filter(user_id=ada.id, revoked_at=None).exists()


# --- Another's ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["patch", "delete"])
@pytest.mark.parametrize("role", ["customer", "support"])
def test_anothers_account_is_not_there_to_be_changed_without_the_permission(ada, person, role, method):
    client = person(role).client

    other = getattr(client, method)(ada.path, {"name": "Mine now"})
    missing = getattr(client, method)(f"/api/users/{uuid4()}", {"name": "Mine now"})

    assert other.status_code == missing.status_code == 404
    assert other.json() | {"instance": None} == missing.json() | {"instance": None}
    assert ada.client.get(ada.path).json()["name"] == "Ada Lovelace"


@pytest.mark.parametrize("role", ["operator", "administrator"])
def test_an_operator_changes_the_name_of_a_customer_and_closes_the_account(ada, person, role):
    kept = ada.sign_in().json()["refresh"]
    operator = person(role, "customer").client

    answer = operator.patch(ada.path, {"name": "Ada King", "active": False})

    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["active"]) == ("Ada King", False)
    assert ada.refresh(kept) == 401
    assert ada.sign_in().status_code == 401
    with pytest.raises(UserInactive):
        SERVICE.validate(user_id=ada.id)
    assert told(ada) == ["UserDeactivated"]


def test_an_account_that_is_opened_again_signs_in_anew(ada, person):
    kept = ada.sign_in().json()["refresh"]
    operator = person("operator").client
    operator.patch(ada.path, {"active": False})

    answer = operator.patch(ada.path, {"active": True})

    assert answer.json()["active"] is True
    assert ada.refresh(kept) == 401
    assert ada.sign_in().status_code == 200
    assert told(ada) == ["UserDeactivated", "UserUpdated"]


@pytest.mark.parametrize("body", [{"email": "mine@example.com"}, {"password": NEW, "currentPassword": PASSWORD}])
def test_not_even_an_operator_changes_anothers_address_or_password(ada, person, body):
    answer = person("operator", "administrator").client.patch(ada.path, {**body, "name": "Mine"})

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert ada.client.get(ada.path).json()["name"] == "Ada Lovelace"
    assert ada.sign_in().status_code == 200


@pytest.mark.parametrize("value", [True, False])
def test_a_customer_cannot_say_whether_the_own_account_is_active(ada, value):
    answer = ada.client.patch(ada.path, {"active": value})

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert ada.client.get(ada.path).json()["active"] is True


@pytest.mark.parametrize("act", [("patch", {"active": False}), ("patch", {"name": "x"}), ("delete", None)])
def test_an_operator_has_no_power_over_somebody_who_may_do_more(person, act):
    boss, second = person("administrator"), person("administrator")
    method, body = act

    answer = getattr(person("operator").client, method)(boss.path, body)

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert second.client.get(boss.path).json()["active"] is True


@pytest.mark.parametrize("act", [("patch", {"active": False}), ("delete", None)])
def test_the_last_administrator_cannot_go(person, act):
    boss = person("administrator")
    method, body = act

    answer = getattr(boss.client, method)(boss.path, body)

    assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")
    assert boss.client.get(boss.path).json()["active"] is True


@pytest.mark.parametrize("field", ["id", "roles", "createdAt", "emailVerified", "email_verified_at", "isStaff"])
def test_nothing_else_can_be_changed(ada, field):
    answer = ada.client.patch(ada.path, {field: True})

    assert answer.status_code == 400
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(f"/{field}", "unknown_field")]
