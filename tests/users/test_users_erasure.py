"""Somebody who is erased leaves an id behind, and nothing of a person."""

from __future__ import annotations

import threading
from uuid import uuid4

import psycopg2
import pytest
from django.conf import settings

from apps.users import mail, service
from apps.users.models import Mail, MailToken, RefreshFamily, RefreshToken, User
from apps.users.service import SERVICE, BadRefreshToken
from contracts.users import ROLES, UserInactive, UserUnknown, permissions_of
from runtime.messaging.models import OutboxMessage
from tests.together import kinds, together
from tests.users.conftest import PASSWORD, token_in

NAME = "Canary Lovelace"


def everything_in_users() -> str:
    """Every row of every table of the schema, as text."""
    connection = psycopg2.connect(settings.DATABASE_OWNERS["users"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'users'")
        tables = [name for (name,) in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM users."{table}" t')
            rows += [f"{table} {row}" for (row,) in cursor.fetchall()]
    connection.close()
    return "\n".join(rows)


def test_nothing_personal_is_left_in_any_table_also_of_what_is_owed_by_mail(committed, person, letters, nobody):
    ada = person(email="canary@example.com", name=NAME)
    nobody.post("/api/users/verify-email", {"token": token_in(letters()[0])})
    ada.sign_in()
    ada.client.patch(ada.path, {"email": "second-canary@example.com"})
    ada.client.patch(ada.path, {"password": "a canary's song", "currentPassword": PASSWORD})
    SERVICE.ask_for_password_reset(email="second-canary@example.com")
    hash_before = User.objects.using("users").get(pk=ada.id).password
    assert everything_in_users().lower().count("canary") >= 5

    assert ada.client.delete(ada.path).status_code == 204

    left = everything_in_users()
    assert "canary" not in left.lower()
    assert hash_before not in left
    assert str(ada.id) in left
    for model in (RefreshFamily, RefreshToken, MailToken, Mail):
        assert not model.objects.using("users").exists()


@pytest.mark.django_db
def test_the_id_stays_as_somebody_who_may_do_nothing(ada):
    ada.client.delete(ada.path)

    assert (SERVICE.get(user_id=ada.id).active, SERVICE.get(user_id=ada.id).roles) == (False, ())
    with pytest.raises(UserInactive):
        SERVICE.validate(user_id=ada.id)
    with pytest.raises(UserUnknown):
        SERVICE.account(user_id=ada.id)


@pytest.mark.django_db
def test_it_is_told_with_the_id_alone(ada):
    ada.client.delete(ada.path)

    (event,) = OutboxMessage.objects.using("users").filter(event_type="UserErased")
    assert event.data == {"userId": str(ada.id)}


@pytest.mark.django_db
def test_nobody_signs_in_or_stays_signed_in_to_an_erased_account(ada, nobody):
    kept = ada.sign_in().json()["refresh"]

    ada.client.delete(ada.path)

    assert ada.refresh(kept) == 401
    assert ada.sign_in().status_code == 401
    placeholder = User.objects.using("users").get(pk=ada.id).email
    assert nobody.post("/api/users/token", {"email": placeholder, "password": PASSWORD}).status_code == 401


@pytest.mark.django_db
def test_a_token_that_outlives_the_account_finds_nothing(ada):
    ada.client.delete(ada.path)

    calls = [
        ada.client.get("/api/users/me"),
        ada.client.get(ada.path),
        ada.client.patch(ada.path, {"name": "Back"}),
        ada.client.delete(ada.path),
        ada.client.post("/api/users/verify-email/resend"),
    ]

    assert [answer.status_code for answer in calls] == [404] * 5
    assert User.objects.using("users").get(pk=ada.id).name == ""


@pytest.mark.django_db
def test_the_address_is_free_for_a_new_account_that_has_nothing_of_the_old_one(ada, nobody):
    ada.client.delete(ada.path)

    again = nobody.post("/api/users", {"email": ada.email, "name": "Another", "password": "another engine"})

    assert again.status_code == 201
    assert again.json()["id"] != str(ada.id)
    assert ada.sign_in().status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("placeholder", ["erased:{id}", "ERASED:{id}"])
def test_nobody_can_take_the_place_of_an_erased_address(ada, nobody, placeholder):
    body = {"email": placeholder.format(id=ada.id), "name": "x", "password": PASSWORD}

    assert nobody.post("/api/users", body).status_code == 400
    assert ada.client.delete(ada.path).status_code == 204


@pytest.mark.django_db
def test_a_letter_that_opens_something_opens_nothing_afterwards(ada, nobody, letters):
    SERVICE.ask_for_password_reset(email=ada.email)
    tokens = [token_in(letter) for letter in letters()]
    assert len(tokens) == 2

    ada.client.delete(ada.path)

    for path, more in (("verify-email", {}), ("password-reset/confirm", {"password": "another engine"})):
        for token in tokens:
            assert nobody.post(f"/api/users/{path}", {"token": token, **more}).status_code == 400


@pytest.mark.django_db
def test_an_operator_erases_a_customer_once_and_lists_show_no_trace(ada, person):
    operator = person("operator").client

    first, second = operator.delete(ada.path), operator.delete(ada.path)

    assert (first.status_code, first.content) == (204, b"")
    assert second.status_code == 404
    assert operator.get(ada.path).status_code == 404
    assert str(ada.id) not in str(operator.get("/api/users?limit=100").json())
    assert operator.put(f"{ada.path}/roles", {"roles": ["customer"]}).status_code == 403


@pytest.mark.django_db
def test_an_erased_account_gets_no_roles(ada, person):
    boss = person("administrator").client
    boss.delete(ada.path)

    assert boss.put(f"{ada.path}/roles", {"roles": ["operator"]}).status_code == 404
    assert User.objects.using("users").get(pk=ada.id).roles == []


@pytest.mark.django_db
def test_a_sales_history_that_is_loaded_again_does_not_bring_anybody_back():
    user_id = uuid4()
    SERVICE.import_account(user_id=user_id, email="12345@customers.example", name="Customer 12345")
    SERVICE.erase(user_id=user_id)

    again = SERVICE.import_account(user_id=user_id, email="12345@customers.example", name="Customer 12345")

    assert again is False
    assert User.objects.using("users").get(pk=user_id).name == ""
    with pytest.raises(UserInactive):
        SERVICE.validate(user_id=user_id)


def test_whoever_changes_signs_in_or_refreshes_while_an_account_is_erased_leaves_nothing_behind(committed, person):
    for attempt in range(4):
        ada = person(email=f"canary{attempt}@example.com", name=NAME)
        token = ada.sign_in().json()["refresh"]
        outcomes = together(
            lambda: SERVICE.erase(user_id=ada.id),  # noqa: B023 - called before the loop goes on
            lambda: SERVICE.change(user_id=ada.id, name="Another Canary"),  # noqa: B023
            lambda: SERVICE.change(user_id=ada.id, email=f"canary{attempt}b@example.com"),  # noqa: B023
            lambda: SERVICE.refresh(refresh=token),  # noqa: B023
            lambda: SERVICE.send_due_mail(),
            lambda: SERVICE.ask_for_verification(user_id=ada.id),  # noqa: B023
        )
        assert outcomes[0] is None
        assert set(kinds(outcomes[1:])) <= {
            "Account",
            "UserUnknown",
            "TokenPair",
            "BadRefreshToken",
            "bool",
            "NoneType",
        }
        with pytest.raises(BadRefreshToken):
            SERVICE.refresh(refresh=token)
        assert not User.objects.using("users").filter(pk=ada.id).exclude(name="").exists()
        assert not MailToken.objects.using("users").filter(user_id=ada.id).exists()


def test_a_letter_that_is_being_written_while_its_reader_is_erased_is_not_sent(committed, person, letters, monkeypatch):
    ada = person()
    row = mail.take_due()
    erased, looked_at = threading.Event(), threading.Event()

    def publish_late(*_: object, **__: object) -> None:
        """The erasure has changed all its rows, and is not committed yet."""
        erased.set()
        looked_at.wait(2)

    monkeypatch.setattr(service, "publish", publish_late)

    def send() -> bool:
        erased.wait(10)
        threading.Timer(0.5, looked_at.set).start()
        return mail.send(row)

    together(lambda: SERVICE.erase(user_id=ada.id), send)

    assert letters() == []
    assert not MailToken.objects.using("users").exists()
    assert not Mail.objects.using("users").exists()


def test_two_administrators_who_erase_each_other_at_once_leave_one(committed, person):
    one, other = person("administrator"), person("administrator")
    everything = permissions_of(tuple(ROLES))

    outcomes = together(
        lambda: SERVICE.erase(user_id=one.id, allowed=everything),
        lambda: SERVICE.erase(user_id=other.id, allowed=everything),
    )

    assert kinds(outcomes) == ["LastAdministrator", "NoneType"]
