"""A forgotten password is replaced by whoever gets the letter, and nobody learns who has an account."""

from __future__ import annotations

import pytest
import redis
from django.db import connections
from django.test.utils import CaptureQueriesContext

from apps.users.models import Mail, MailToken, RefreshFamily, User
from apps.users.service import SERVICE
from tests.together import kinds, shift_clock, together
from tests.users.conftest import PASSWORD, token_in

NEW = "an analytical engine"


def ask(client, email: str, **extra):
    return client.post("/api/users/password-reset", {"email": email}, **extra)


def confirm(client, token: str, password: str = NEW):
    return client.post("/api/users/password-reset/confirm", {"token": token, "password": password})


@pytest.fixture
def token(ada, letters, nobody) -> str:
    """From a letter that Ada has asked for."""
    letters()
    assert ask(nobody, ada.email).status_code == 202
    (letter,) = letters()
    assert letter.to == [ada.email]
    assert "http://" in letter.body
    return token_in(letter)


# --- Asking ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_asking_is_answered_alike_for_every_address_and_costs_the_same_statements(ada, nobody, settings):
    said, statements = [], []
    for email in (ada.email, "nobody@example.com"):
        with CaptureQueriesContext(connections["users"]) as captured:
            answer = ask(nobody, email.upper())
        said.append((answer.status_code, answer.content, sorted(set(answer.headers) - {"X-Request-Id"})))
        statements.append([query["sql"].replace(email, "…").split("VALUES")[0] for query in captured])

    assert said[0] == said[1]
    assert said[0][0] == 202
    assert statements[0] == statements[1] != []


@pytest.mark.django_db
def test_nobody_gets_a_letter_at_an_address_without_an_account(nobody, letters):
    assert ask(nobody, "nobody@example.com").status_code == 202

    assert letters() == []
    assert not Mail.objects.using("users").exists()


@pytest.mark.django_db
def test_nobody_gets_a_letter_for_a_closed_account(ada, nobody, letters):
    letters()
    SERVICE.change(user_id=ada.id, active=False, allowed=frozenset())

    assert ask(nobody, ada.email).status_code == 202
    assert letters() == []


@pytest.mark.django_db
def test_letters_are_limited_for_each_address_they_go_to(ada, nobody, settings):
    settings.MAIL_LIMIT = "3/15m"
    redis.Redis.from_url(settings.CACHE_URL).flushdb()

    known = [ask(nobody, ada.email, REMOTE_ADDR=f"198.51.100.{n}").status_code for n in range(5)]
    unknown = [ask(nobody, "nobody@example.com", REMOTE_ADDR=f"198.51.101.{n}").status_code for n in range(5)]

    assert known == unknown == [202, 202, 202, 429, 429]


@pytest.mark.django_db
def test_letters_are_limited_for_each_address_they_are_asked_for_from(nobody, settings):
    settings.MAIL_LIMIT = "3/15m"
    redis.Redis.from_url(settings.CACHE_URL).flushdb()

    answers = [ask(nobody, f"{n}@example.com", REMOTE_ADDR="203.0.113.7") for n in range(4)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[-1].json()["code"] == "rate_limited"
    assert 0 < int(answers[-1]["Retry-After"]) <= 15 * 60
    assert Mail.objects.using("users").count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize("body", [{}, {"email": "not an address"}, {"email": 1}, {"email": "a@b.de", "name": "x"}])
def test_a_bad_body_is_refused(nobody, body):
    assert nobody.post("/api/users/password-reset", body).status_code == 400


# --- Choosing -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_token_of_the_letter_opens_a_new_password_and_signs_out_whoever_was_signed_in(ada, nobody, token):
    thief = ada.sign_in().json()["refresh"]

    answer = confirm(nobody, token)

    assert answer.status_code == 200
    assert ada.refresh(thief) == 401
    assert ada.sign_in().status_code == 401
    assert ada.sign_in(NEW).status_code == 200


@pytest.mark.django_db
def test_whoever_got_the_letter_has_the_address_confirmed_and_is_told_of_the_change(ada, nobody, token, letters):
    confirm(nobody, token)

    assert ada.client.get(ada.path).json()["emailVerified"] is True
    assert [(letter.to, letter.subject) for letter in letters()] == [([ada.email], "Your password was changed")]


@pytest.mark.django_db
def test_a_token_is_used_once(ada, nobody, token):
    confirm(nobody, token)

    again = confirm(nobody, token, "yet another engine")

    assert (again.status_code, again.json()["code"]) == (400, "invalid_mail_token")
    assert ada.sign_in(NEW).status_code == 200


@pytest.mark.django_db
def test_a_letter_that_was_asked_for_earlier_opens_nothing_after_another_one_did(ada, nobody, token, letters):
    ask(nobody, ada.email)
    second = token_in(letters()[0])
    confirm(nobody, second)

    assert confirm(nobody, token, "yet another engine").status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize("bad", ["", "x", "ä" * 43, "A" * 43, "a" * 201])
def test_a_made_up_token_is_refused(ada, nobody, bad, token):
    assert confirm(nobody, bad).status_code == 400
    assert ada.sign_in().status_code == 200


@pytest.mark.django_db
def test_a_bad_password_does_not_use_the_token_up(nobody, token):
    refused = confirm(nobody, token, "password1")

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/password"
    assert confirm(nobody, token).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(("after", "status"), [("59 minutes", 200), ("61 minutes", 400)])
def test_a_token_is_good_for_an_hour_by_the_databases_clock(nobody, token, after, status):
    shift_clock("users", after)

    assert confirm(nobody, token).status_code == status


@pytest.mark.django_db
def test_a_token_for_something_else_opens_no_password(ada, nobody, letters):
    verification = token_in(letters()[0])

    assert confirm(nobody, verification).status_code == 400
    assert nobody.post("/api/users/verify-email", {"token": verification}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"email": "other@example.com"},
        {"password": "yet another engine", "current_password": PASSWORD},
        {"active": False, "allowed": frozenset()},
    ],
    ids=["another address", "another password", "a closed account"],
)
def test_a_token_from_before_a_change_opens_nothing(ada, nobody, token, change):
    SERVICE.change(user_id=ada.id, **change)
    before = User.objects.using("users").get(pk=ada.id).password

    assert confirm(nobody, token).status_code == 400
    assert User.objects.using("users").get(pk=ada.id).password == before


@pytest.mark.django_db
def test_a_token_that_is_refused_costs_no_hash(nobody, monkeypatch):
    from runtime.identity.passwords import Argon2id

    monkeypatch.setattr(Argon2id, "encode", lambda *_: pytest.fail("a made-up token was given a hash's worth of work"))

    assert confirm(nobody, "A" * 43).status_code == 400


def test_of_eight_who_use_a_token_at_once_one_wins(committed, person, letters, nobody):
    ada = person()
    letters()
    ask(nobody, ada.email)
    token = token_in(letters()[0])

    answers = together(
        *[lambda n=n: SERVICE.reset_password(token=token, password=f"engine number {n}") for n in range(8)]
    )

    assert kinds(answers) == ["BadMailToken"] * 7 + ["NoneType"]
    assert sum(ada.sign_in(f"engine number {n}").status_code == 200 for n in range(8)) == 1
    assert not MailToken.objects.using("users").filter(purpose=MailToken.PASSWORD_RESET).exists()


@pytest.mark.django_db
def test_an_imported_customer_gets_a_password_by_letter(nobody, letters):
    from uuid import uuid4

    SERVICE.import_account(user_id=uuid4(), email="old@customers.example", name="Customer 1")
    ask(nobody, "old@customers.example")

    assert confirm(nobody, token_in(letters()[0])).status_code == 200
    body = {"email": "old@customers.example", "password": NEW}
    assert nobody.post("/api/users/token", body).status_code == 200
    assert RefreshFamily.objects.using("users").count() == 1
