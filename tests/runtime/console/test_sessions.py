"""What a session's cookie is worth: how long, to whom, and after what no longer."""

from __future__ import annotations

import time

import pytest
from django.core import signing
from django.test import Client

from apps.users.service import SERVICE
from contracts._base import Unavailable
from runtime.console import identity, sessions
from tests.operators import PASSWORD

pytestmark = pytest.mark.django_db


def is_in(client: Client) -> bool:
    answer = client.get("/admin/")
    assert answer.status_code in {200, 302}
    return answer.status_code == 200


def carrying(cookie: str) -> Client:
    client = Client()
    client.cookies["console"] = cookie
    return client


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)


def values(client: Client) -> dict:
    cookie = client.cookies["console"].value
    return signing.loads(cookie, key=sessions._key(), salt=sessions._SALT)


# --- The cookie -------------------------------------------------------------------------------------------------------


def test_the_cookie_is_for_the_console_and_for_no_script(account) -> None:
    _, email = account("operator")

    answer = Client().post("/admin/login/", {"username": email, "password": PASSWORD})

    cookie = answer.cookies["console"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/admin", True, "Lax")
    assert cookie["secure"] == ""


@pytest.mark.parametrize(
    ("proxies", "secure"), [((), ""), (("192.0.2.0/24",), True)], ids=["nobody's proxy", "our proxy"]
)
def test_behind_https_every_cookie_is_for_https_only(account, settings, proxies, secure) -> None:
    settings.TRUSTED_PROXIES = proxies
    _, email = account("operator")
    headers = {"x-forwarded-proto": "https", "x-forwarded-for": "198.51.100.1"}

    client = Client(REMOTE_ADDR="192.0.2.1", headers=headers)
    answer = client.post("/admin/login/", {"username": email, "password": PASSWORD})

    assert answer.cookies["console"]["secure"] == secure
    assert answer.cookies["csrftoken"]["secure"] == secure


def test_over_https_the_cookie_is_for_https_only(account) -> None:
    _, email = account("operator")

    answer = Client().post("/admin/login/", {"username": email, "password": PASSWORD}, secure=True)

    assert answer.cookies["console"]["secure"] is True


def test_the_cookie_says_who_and_which_version_and_nothing_secret(sign_in) -> None:
    operator = sign_in("operator")

    kept = values(operator)

    assert set(kept) == {"userId", "version", "name", "began"}
    assert (kept["userId"], kept["name"]) == (str(operator.id), operator.email)


def test_the_api_knows_nothing_of_the_cookie(sign_in) -> None:
    assert sign_in("administrator").get("/api/users/me").status_code == 401


# --- Forged and altered -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cookie", ["", "x", "a:b:c", "é", "{}", ":" * 100])
def test_what_is_no_session_opens_nothing(cookie: str) -> None:
    assert not is_in(carrying(cookie))


def test_a_cookie_signed_with_another_key_opens_nothing(sign_in, settings) -> None:
    forged = values(sign_in("administrator"))

    for key in (settings.SECRET_KEY, settings.SERVICE_KEY, settings.JWT_SIGNING_KEY, ""):
        assert not is_in(carrying(signing.dumps(forged, key=key, salt=sessions._SALT)))


def test_a_cookie_that_was_altered_opens_nothing(sign_in) -> None:
    cookie = sign_in("operator").cookies["console"].value

    assert is_in(carrying(cookie))
    assert not is_in(carrying(cookie[1:]))
    assert not is_in(carrying(f"{cookie[:-1]}{'a' if cookie[-1] != 'a' else 'b'}"))


@pytest.mark.parametrize("change", [{"version": "0" * 64}, {"version": None}, {"userId": "1"}, {"began": "now"}])
def test_a_session_with_something_odd_in_it_opens_nothing(sign_in, change) -> None:
    odd = {**values(sign_in("operator")), **change}

    assert not is_in(carrying(signing.dumps(odd, key=sessions._key(), salt=sessions._SALT)))


def test_somebody_elses_version_opens_nothing(sign_in) -> None:
    theirs, mine = values(sign_in("administrator")), values(sign_in("support"))
    mixed = {**theirs, "version": mine["version"]}

    assert not is_in(carrying(signing.dumps(mixed, key=sessions._key(), salt=sessions._SALT)))


# --- Time -------------------------------------------------------------------------------------------------------------


def test_a_session_ends_an_hour_after_the_last_page(sign_in, monkeypatch) -> None:
    operator = sign_in("operator")

    later(monkeypatch, 3599)
    assert is_in(operator)
    later(monkeypatch, 3599)
    assert is_in(operator)
    later(monkeypatch, 3601)
    assert not is_in(operator)


def test_a_session_ends_eight_hours_after_the_sign_in_however_busy(sign_in, monkeypatch) -> None:
    operator = sign_in("operator")

    for _ in range(9):
        later(monkeypatch, 3000)
        assert is_in(operator)
    later(monkeypatch, 3000)
    assert not is_in(operator)


def test_the_cookie_is_not_written_anew_at_every_click(sign_in, monkeypatch) -> None:
    operator = sign_in("operator")

    assert "console" not in operator.get("/admin/").cookies
    later(monkeypatch, 61)
    assert "console" in operator.get("/admin/").cookies


def test_a_session_that_is_over_is_taken_from_the_browser(sign_in, monkeypatch) -> None:
    operator = sign_in("operator")

    later(monkeypatch, 3601)

    assert operator.get("/admin/").cookies["console"]["max-age"] == 0


# --- What happens to the account --------------------------------------------------------------------------------------


def test_a_new_password_ends_every_session(sign_in) -> None:
    operator = sign_in("operator")

    SERVICE.ensure_operator(email=operator.email, password="another password")
    identity.forget()

    assert not is_in(operator)


def test_a_change_of_roles_ends_the_session(sign_in) -> None:
    operator = sign_in("operator")

    SERVICE.set_roles(user_id=operator.id, roles=["support"])
    identity.forget()

    assert not is_in(operator)


def test_closing_the_account_ends_the_session(sign_in) -> None:
    operator = sign_in("operator")

    SERVICE.change(user_id=operator.id, active=False)
    identity.forget()

    assert not is_in(operator)


def test_erasing_the_account_ends_the_session(sign_in) -> None:
    operator = sign_in("operator")

    SERVICE.erase(user_id=operator.id)
    identity.forget()

    assert not is_in(operator)


# --- Asking users -----------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch) -> list:
    """What users was asked about sessions."""
    questions: list = []
    real = SERVICE.session

    def session(**arguments: object):
        questions.append(arguments)
        return real(**arguments)

    monkeypatch.setattr(identity, "_users", lambda: SERVICE)
    monkeypatch.setattr(SERVICE, "session", session)
    return questions


def test_users_is_asked_once_in_ten_seconds(sign_in, asked, monkeypatch) -> None:
    operator = sign_in("operator")

    assert [is_in(operator) for _ in range(3)] == [True] * 3
    assert len(asked) == 1

    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + 10.1)
    assert is_in(operator)
    assert len(asked) == 2


def test_a_no_is_asked_for_again(sign_in, asked) -> None:
    operator = sign_in("operator")
    cookie = operator.cookies["console"].value
    SERVICE.change(user_id=operator.id, active=False)

    assert [is_in(carrying(cookie)) for _ in range(2)] == [False, False]
    assert len(asked) == 2


def test_where_users_cannot_be_asked_nobody_is_let_in_and_nobody_is_signed_out(sign_in, monkeypatch) -> None:
    operator = sign_in("operator")

    def unavailable(**arguments: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(identity, "_users", lambda: SERVICE)
        patched.setattr(SERVICE, "session", unavailable)
        answer = operator.get("/admin/")

    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert "console" not in answer.cookies
    assert is_in(operator)
