"""An e-mail address is confirmed by whoever gets the letter that goes there."""

from __future__ import annotations

import re

import pytest
import redis

from apps.users.service import SERVICE
from runtime.messaging.models import OutboxMessage
from tests.together import shift_clock
from tests.users.conftest import token_in

pytestmark = pytest.mark.django_db


def verify(client, token: str):
    return client.post("/api/users/verify-email", {"token": token})


def verified(person) -> bool:
    return person.client.get(person.path).json()["emailVerified"]


def test_registering_sends_a_letter_whose_token_confirms_the_address(ada, nobody, letters):
    (letter,) = letters()
    assert verified(ada) is False

    answer = verify(nobody, token_in(letter))

    assert answer.status_code == 200
    assert verified(ada) is True
    assert OutboxMessage.objects.using("users").get(event_type="UserUpdated").data == {"userId": str(ada.id)}


def test_a_token_confirms_once(ada, nobody, letters):
    token = token_in(letters()[0])
    verify(nobody, token)

    again = verify(nobody, token)

    assert (again.status_code, again.json()["code"]) == (400, "invalid_mail_token")


@pytest.mark.parametrize("token", ["A" * 43, "x", " "])
def test_a_made_up_token_confirms_nothing(ada, nobody, letters, token):
    letters()

    assert verify(nobody, token).status_code == 400
    assert verified(ada) is False


@pytest.mark.parametrize(("after", "status"), [("2 days 23 hours", 200), ("3 days 1 hour", 400)])
def test_a_token_is_good_for_three_days(ada, nobody, letters, after, status):
    token = token_in(letters()[0])
    shift_clock("users", after)

    assert verify(nobody, token).status_code == status


def test_a_token_for_a_new_password_confirms_no_address(ada, nobody, letters):
    letters()
    SERVICE.ask_for_password_reset(email=ada.email)

    assert verify(nobody, token_in(letters()[0])).status_code == 400


def test_a_token_that_went_to_an_old_address_does_not_confirm_the_new_one(ada, nobody, letters):
    old = token_in(letters()[0])
    ada.client.patch(ada.path, {"email": "new@example.com"})

    assert verify(nobody, old).status_code == 400
    (letter,) = letters()
    assert letter.to == ["new@example.com"]
    assert verify(nobody, token_in(letter)).status_code == 200


def test_an_address_that_was_changed_before_its_letter_was_sent_gets_none(ada, letters):
    ada.client.patch(ada.path, {"email": "new@example.com"})

    assert [letter.to for letter in letters()] == [["new@example.com"]]


def test_the_old_address_hears_of_a_change_if_it_was_confirmed(ada, nobody, letters):
    verify(nobody, token_in(letters()[0]))
    old = ada.email

    ada.client.patch(ada.path, {"email": "new@example.com"})

    sent = {letter.to[0]: letter for letter in letters()}
    assert sent.keys() == {old, "new@example.com"}
    assert sent[old].subject == "Your e-mail address was changed"
    assert "new@example.com" not in sent[old].body


def test_an_address_that_nobody_has_confirmed_hears_of_nothing(ada, letters):
    from tests.users.conftest import PASSWORD

    letters()
    ada.client.patch(ada.path, {"password": "an analytical engine", "currentPassword": PASSWORD})

    assert letters() == []


# --- Again ----------------------------------------------------------------------------------------------------------


def test_the_letter_is_sent_again_when_its_owner_asks(ada, nobody, letters):
    first = token_in(letters()[0])

    assert ada.client.post("/api/users/verify-email/resend").status_code == 202

    (letter,) = letters()
    assert letter.to == [ada.email]
    assert token_in(letter) != first
    assert verify(nobody, first).status_code == 200


def test_there_is_no_other_letter_once_the_address_is_confirmed(ada, nobody, letters):
    verify(nobody, token_in(letters()[0]))

    answer = ada.client.post("/api/users/verify-email/resend")

    assert (answer.status_code, answer.json()["code"]) == (409, "email_verified_already")
    assert letters() == []


def test_nobody_in_particular_cannot_ask_for_it(nobody):
    assert nobody.post("/api/users/verify-email/resend").status_code == 401


def test_asking_again_is_limited(ada, settings):
    settings.MAIL_LIMIT = "2/15m"
    redis.Redis.from_url(settings.CACHE_URL).flushdb()

    answers = [ada.client.post("/api/users/verify-email/resend").status_code for _ in range(3)]

    assert answers == [202, 202, 429]


# --- The page behind the link ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/users/verify-email", "/api/users/password-reset/confirm"])
def test_a_letters_link_leads_to_a_page_that_runs_its_own_script_and_nothing_else(nobody, path):
    import base64
    import hashlib

    answer = nobody.get(path)
    text = answer.content.decode()

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/html")
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'" in policy
    assert not re.search(r"(src|href|action)=", text)


def test_a_link_carries_its_token_where_no_server_sees_it(ada, letters, settings):
    settings.PUBLIC_URL = "https://shop.example"
    SERVICE.ask_for_password_reset(email=ada.email)

    links = [re.search(r"https://\S+", letter.body)[0] for letter in letters()]

    assert {link.partition("#")[0] for link in links} == {
        "https://shop.example/api/users/verify-email",
        "https://shop.example/api/users/password-reset/confirm",
    }
    assert all("?" not in link for link in links)
