"""Signing in, staying signed in, signing out."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

import jwt
import pytest
from django.db import connections
from rest_framework.test import APIClient

from apps.users.models import RefreshFamily, RefreshToken, User
from apps.users.service import SERVICE
from runtime.identity.tokens import issue

ADA = {"email": "ada@example.com", "name": "Ada", "password": "a difference engine"}
LOGIN = {"email": ADA["email"], "password": ADA["password"]}


@pytest.fixture
def client(settings) -> APIClient:
    settings.SIGN_IN_LIMIT = "off"
    return APIClient(raise_request_exception=False)


@pytest.fixture
def ada(client, db_users) -> UUID:
    return SERVICE.register(**ADA).id


@pytest.fixture
def db_users(request):
    request.getfixturevalue("db" if request.node.get_closest_marker("django_db") else "committed")


def shift_clock(by: str) -> None:
    """Make this connection's database clock run ahead."""
    with connections["users"].cursor() as cursor:
        cursor.execute("SELECT set_config('mitosis.clock_shift', %s, false)", [by])


@pytest.fixture(autouse=True)
def clock_back():
    yield
    for connection in connections.all(initialized_only=True):
        if connection.alias == "users" and connection.connection is not None:
            connection.close()


def sign_in(client: APIClient) -> dict:
    return client.post("/api/users/token", LOGIN).json()


def refresh(client: APIClient, token: str):
    return client.post("/api/users/token/refresh", {"refresh": token})


@pytest.mark.django_db
def test_the_access_token_says_who_and_which_roles_and_nothing_personal(client, ada):
    answer = client.post("/api/users/token", {**LOGIN, "email": "ADA@example.com"})

    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh"}
    claims = jwt.decode(answer.json()["access"], options={"verify_signature": False})
    assert set(claims) == {"token_type", "exp", "iat", "jti", "sub", "roles", "iss", "aud"}
    assert (claims["sub"], claims["roles"], claims["token_type"]) == (str(ada), ["customer"], "access")
    assert claims["exp"] - claims["iat"] == 15 * 60
    assert (
        client.get("/api/users/me", headers={"authorization": f"Bearer {answer.json()['access']}"}).status_code == 200
    )


@pytest.mark.django_db
def test_a_wrong_password_an_unknown_address_and_a_closed_account_get_the_same_answer(client, ada):
    wrong = client.post("/api/users/token", {**LOGIN, "password": "something else"})
    unknown = client.post("/api/users/token", {**LOGIN, "email": "nobody@example.com"})
    User.objects.using("users").filter(pk=ada).update(active=False)
    closed = client.post("/api/users/token", LOGIN)

    assert wrong.status_code == unknown.status_code == closed.status_code == 401
    assert wrong.json() == unknown.json() == closed.json()
    assert wrong.json()["code"] == "invalid_credentials"
    assert wrong["WWW-Authenticate"].startswith("Bearer")
    assert not RefreshFamily.objects.using("users").exists()


@pytest.mark.django_db
@pytest.mark.parametrize("account", ["known", "unknown", "without a password"])
def test_a_refusal_costs_one_hash_whoever_was_asked_for(client, ada, account, monkeypatch):
    if account == "without a password":
        User.objects.using("users").filter(pk=ada).update(password="!imported")
    hashed = []
    from runtime.identity.passwords import Argon2id

    original = Argon2id.encode, Argon2id.verify
    monkeypatch.setattr(Argon2id, "encode", lambda *a, **k: hashed.append("encode") or original[0](*a, **k))
    monkeypatch.setattr(Argon2id, "verify", lambda *a, **k: hashed.append("verify") or original[1](*a, **k))

    email = "nobody@example.com" if account == "unknown" else ADA["email"]
    answer = client.post("/api/users/token", {"email": email, "password": "something else"})

    assert answer.status_code == 401
    assert len(hashed) == 1


@pytest.mark.django_db
def test_an_expired_access_token_does_not_keep_anybody_from_signing_in(client, ada):
    client.credentials(HTTP_AUTHORIZATION="Bearer expired.long.ago")

    assert client.post("/api/users/token", LOGIN).status_code == 200


# --- Refreshing -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_refresh_token_gives_a_new_pair_with_the_roles_of_now(client, ada):
    pair = sign_in(client)
    User.objects.using("users").filter(pk=ada).update(roles=["support"])

    answer = refresh(client, pair["refresh"])

    assert answer.status_code == 200
    assert answer.json()["refresh"] != pair["refresh"]
    assert jwt.decode(answer.json()["access"], options={"verify_signature": False})["roles"] == ["support"]


@pytest.mark.django_db
def test_a_refresh_token_is_never_kept_itself(client, ada):
    pair = sign_in(client)

    (row,) = RefreshToken.objects.using("users").all()

    assert pair["refresh"] not in {str(value) for value in vars(row).values()}


@pytest.mark.django_db
def test_a_second_use_at_once_is_refused_and_revokes_nothing(client, ada):
    first = sign_in(client)["refresh"]
    second = refresh(client, first).json()["refresh"]

    again = refresh(client, first)

    assert again.status_code == 401
    assert again.json()["code"] == "invalid_refresh_token"
    assert refresh(client, second).status_code == 200


@pytest.mark.django_db
def test_a_second_use_after_ten_seconds_revokes_the_whole_family(client, ada):
    first = sign_in(client)["refresh"]
    second = refresh(client, first).json()["refresh"]
    shift_clock("11 seconds")

    assert refresh(client, first).status_code == 401
    assert refresh(client, second).status_code == 401
    assert RefreshFamily.objects.using("users").exclude(revoked_at=None).count() == 1


@pytest.mark.django_db
def test_revoking_one_family_leaves_another_sign_in_alone(client, ada):
    phone, laptop = sign_in(client)["refresh"], sign_in(client)["refresh"]

    assert client.post("/api/users/token/revoke", {"refresh": phone}).status_code == 200

    assert refresh(client, phone).status_code == 401
    assert refresh(client, laptop).status_code == 200


@pytest.mark.django_db
def test_revoking_an_older_token_ends_the_ones_that_followed(client, ada):
    first = sign_in(client)["refresh"]
    second = refresh(client, first).json()["refresh"]

    client.post("/api/users/token/revoke", {"refresh": first})

    assert refresh(client, second).status_code == 401


@pytest.mark.django_db
def test_revoking_twice_or_nothing_at_all_gets_the_same_answer(client, ada):
    token = sign_in(client)["refresh"]

    answers = [
        client.post("/api/users/token/revoke", {"refresh": value}).status_code for value in (token, token, "unknown")
    ]

    assert answers == [200, 200, 200]


@pytest.mark.django_db
def test_a_refresh_token_ends_after_two_weeks(client, ada):
    token = sign_in(client)["refresh"]
    shift_clock("14 days 1 second")

    assert refresh(client, token).status_code == 401


@pytest.mark.django_db
def test_a_closed_account_gets_no_new_pair(client, ada):
    token = sign_in(client)["refresh"]
    User.objects.using("users").filter(pk=ada).update(active=False)

    assert refresh(client, token).status_code == 401


@pytest.mark.django_db
def test_tokens_are_not_exchangeable(client, ada):
    pair = sign_in(client)

    assert refresh(client, pair["access"]).status_code == 401
    assert client.get("/api/users/me", headers={"authorization": f"Bearer {pair['refresh']}"}).status_code == 401


@pytest.mark.django_db
def test_pruning_forgets_ended_tokens_and_nothing_else(client, ada):
    old = sign_in(client)["refresh"]
    shift_clock("15 days 1 minute")
    new = sign_in(client)["refresh"]

    assert SERVICE.prune_tokens() is False

    assert RefreshToken.objects.using("users").count() == RefreshFamily.objects.using("users").count() == 1
    assert refresh(client, old).status_code == 401
    assert refresh(client, new).status_code == 200


def test_of_twenty_parallel_refreshes_one_gets_a_pair_and_nobody_is_signed_out(client, ada):
    token = sign_in(client)["refresh"]
    barrier, statuses, pairs = threading.Barrier(20), [], []

    def ask() -> None:
        own = APIClient(raise_request_exception=False)
        barrier.wait()
        answer = refresh(own, token)
        statuses.append(answer.status_code)
        if answer.status_code == 200:
            pairs.append(answer.json())
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [401] * 19
    assert refresh(client, pairs[0]["refresh"]).status_code == 200


# --- The seed's operator --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_operator_is_made_once_and_gets_its_password_back(client, db_users):
    made = SERVICE.ensure_operator(email="Op@example.com", password="one long password")
    again = SERVICE.ensure_operator(email="op@example.com", password="another long password")

    assert made.id == again.id
    assert made.roles == ("administrator", "operator")
    good = {"email": "op@example.com", "password": "another long password"}
    assert client.post("/api/users/token", good).status_code == 200
    assert client.post("/api/users/token", {**good, "password": "one long password"}).status_code == 401


@pytest.mark.django_db
def test_whoever_took_the_operators_address_first_is_signed_out(client, ada):
    thief = sign_in(client)["refresh"]

    SERVICE.ensure_operator(email=ADA["email"], password="the real operator's")

    assert refresh(client, thief).status_code == 401
    assert client.post("/api/users/token", LOGIN).status_code == 401


# --- The contract ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_contract_tells_whether_somebody_may_order(client, ada):
    from contracts.users import UserInactive, UserUnknown

    assert SERVICE.validate(user_id=ada).roles == ("customer",)
    User.objects.using("users").filter(pk=ada).update(active=False)
    assert SERVICE.get(user_id=ada).active is False
    with pytest.raises(UserInactive):
        SERVICE.validate(user_id=ada)
    with pytest.raises(UserUnknown):
        SERVICE.validate(user_id=uuid4())


def test_issued_tokens_differ_though_they_say_the_same():
    user_id = uuid4()

    assert issue(user_id=user_id, roles=[]) != issue(user_id=user_id, roles=[])
