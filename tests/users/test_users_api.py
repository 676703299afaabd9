"""Accounts over HTTP."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest
from rest_framework.test import APIClient

from apps.users.models import User
from contracts.users import ROLES
from runtime.identity.tokens import issue
from runtime.messaging.models import OutboxMessage

pytestmark = pytest.mark.django_db

ADA = {"email": "Ada@Example.com", "name": "Ada Lovelace", "password": "a difference engine"}


def client_for(user_id: object | None = None, *roles: str) -> APIClient:
    """Somebody who is signed in with these roles."""
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue(user_id=user_id or uuid4(), roles=roles)}")
    return client


@pytest.fixture
def nobody() -> APIClient:
    return APIClient(raise_request_exception=False)


@pytest.fixture
def ada(nobody: APIClient) -> dict:
    return nobody.post("/api/users", ADA).json()


# --- Registering ----------------------------------------------------------------------------------------------------


def test_registering_answers_with_the_account_and_never_the_password(nobody):
    answer = nobody.post("/api/users", ADA)

    assert answer.status_code == 201
    account = answer.json()
    assert set(account) == {"id", "email", "name", "roles", "active", "emailVerified", "createdAt"}
    assert (account["active"], account["emailVerified"]) == (True, False)
    assert account["email"] == "ada@example.com"
    assert account["name"] == "Ada Lovelace"
    assert account["roles"] == ["customer"]
    assert account["createdAt"].endswith("Z")
    assert UUID(account["id"]).version == 7
    assert answer["Location"] == f"/api/users/{account['id']}"


def test_registering_keeps_an_argon2id_hash(ada):
    stored = User.objects.using("users").get(pk=ada["id"])

    assert stored.password.startswith("argon2$argon2id$")
    assert ADA["password"] not in stored.password


def test_registering_tells_the_event_with_nothing_personal(ada):
    (event,) = OutboxMessage.objects.using("users").filter(event_type="UserRegistered")

    assert event.data == {"userId": ada["id"]}
    assert event.subject == ada["id"]


def test_an_email_address_that_differs_in_case_is_taken(nobody, ada):
    answer = nobody.post("/api/users", {**ADA, "email": "aDA@exAmple.COM"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "email_taken"
    assert User.objects.using("users").count() == 1
    assert OutboxMessage.objects.using("users").count() == 1


def test_roles_cannot_be_given_to_oneself_while_registering(nobody):
    answer = nobody.post("/api/users", {**ADA, "roles": ["administrator"], "active": True, "id": str(uuid4())})

    assert answer.status_code == 400
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/roles", "/active", "/id"}
    assert {error["code"] for error in answer.json()["errors"]} == {"unknown_field"}
    assert not User.objects.using("users").exists()


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("password", "1234567", "min_length"),
        ("password", "x" * 129, "max_length"),
        ("password", "password1", "password_too_common"),
        ("password", "8392839283", "password_entirely_numeric"),
        ("password", 12345678, "invalid"),
        ("email", "not an address", "invalid"),
        ("email", "", "blank"),
        ("email", f"{'a' * 250}@b.de", "max_length"),
        ("email", None, "null"),
        ("name", "", "blank"),
        ("name", "x" * 201, "max_length"),
        ("name", "two\nlines", "control_characters"),
        ("name", "bell\x07", "control_characters"),
        ("name", ["a"], "invalid"),
    ],
)
def test_a_bad_field_is_named_by_pointer_and_code(nobody, field, value, code):
    answer = nobody.post("/api/users", {**ADA, field: value})

    assert answer.status_code == 400
    assert (f"/{field}", code) in {(error["pointer"], error["code"]) for error in answer.json()["errors"]}
    assert not User.objects.using("users").exists()


@pytest.mark.parametrize("name", ["Zoë Müller-Łukasz", "山田 太郎", "O'Brien; DROP TABLE", "👩‍👩‍👧 <script>", "नमस्ते"])
def test_a_name_may_hold_anything_printable(nobody, name):
    answer = nobody.post("/api/users", {**ADA, "name": name})

    assert answer.status_code == 201
    assert answer.json()["name"] == name


@pytest.mark.parametrize("email", ["İ@example.com", "\u017f@example.com", "\u212a@example.com", "a@münchen.de"])
def test_an_odd_but_valid_or_invalid_address_is_never_a_fault_of_ours(nobody, email):
    assert nobody.post("/api/users", {**ADA, "email": email}).status_code in {201, 400}


# --- Reading accounts -----------------------------------------------------------------------------------------------


def test_me_is_the_callers_own_account(ada):
    answer = client_for(ada["id"]).get("/api/users/me")

    assert (answer.status_code, answer.json()) == (200, ada)
    assert answer["Cache-Control"] == "no-store"


def test_me_of_nobody_is_401_with_a_challenge(nobody):
    answer = nobody.get("/api/users/me")

    assert answer.status_code == 401
    assert answer.json()["code"] == "not_authenticated"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_ones_own_account_is_found_by_its_id(ada):
    assert client_for(ada["id"], "customer").get(f"/api/users/{ada['id']}").json() == ada


def test_anothers_account_is_not_there_for_a_customer(ada):
    other = client_for(uuid4(), "customer").get(f"/api/users/{ada['id']}")
    missing = client_for(uuid4(), "customer").get(f"/api/users/{uuid4()}")

    assert other.status_code == missing.status_code == 404
    without_address = {"instance": None}
    assert other.json() | without_address == missing.json() | without_address


@pytest.mark.parametrize("role", ["support", "operator", "administrator"])
def test_staff_see_anybodys_account(ada, role):
    assert client_for(uuid4(), role).get(f"/api/users/{ada['id']}").json() == ada


@pytest.mark.parametrize("path", ["/api/users", "/api/users/roles"])
def test_lists_of_users_and_roles_need_the_permission(nobody, path):
    assert nobody.get(path).status_code == 401
    refused = client_for(uuid4(), "customer").get(path)
    assert refused.status_code == 403
    assert refused.json()["code"] == "permission_denied"
    assert client_for(uuid4(), "support").get(path).status_code == 200


def test_users_are_paged_newest_first(nobody):
    ids = [nobody.post("/api/users", {**ADA, "email": f"{n}@example.com"}).json()["id"] for n in range(5)]
    staff = client_for(uuid4(), "support")

    first = staff.get("/api/users?limit=2").json()
    second = staff.get(first["next"]).json()
    third = staff.get(second["next"]).json()

    seen = [[item["id"] for item in page["items"]] for page in (first, second, third)]
    assert seen == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert first["previous"] is None
    assert third["next"] is None
    assert [item["id"] for item in staff.get(third["previous"]).json()["items"]] == seen[1]


def test_the_list_of_roles_says_what_each_allows():
    answer = client_for(uuid4(), "support").get("/api/users/roles")

    assert {item["name"]: set(item["permissions"]) for item in answer.json()["items"]} == ROLES


# --- Changing roles -------------------------------------------------------------------------------------------------


def test_an_administrator_changes_roles_and_the_change_is_told_once(ada):
    administrator = client_for(uuid4(), "administrator")

    answer = administrator.put(f"/api/users/{ada['id']}/roles", {"roles": ["support", "customer", "support"]})
    again = administrator.put(f"/api/users/{ada['id']}/roles", {"roles": ["customer", "support"]})

    assert answer.status_code == again.status_code == 200
    assert answer.json()["roles"] == ["customer", "support"]
    (event,) = OutboxMessage.objects.using("users").filter(event_type="UserUpdated")
    assert event.data == {"userId": ada["id"]}


@pytest.mark.parametrize("role", ["customer", "support", "operator"])
def test_nobody_else_changes_roles(ada, role):
    answer = client_for(ada["id"], role).put(f"/api/users/{ada['id']}/roles", {"roles": ["administrator"]})

    assert answer.status_code == 403
    assert User.objects.using("users").get(pk=ada["id"]).roles == ["customer"]


def test_an_unknown_role_is_named_by_its_place(ada):
    answer = client_for(uuid4(), "administrator").put(
        f"/api/users/{ada['id']}/roles", {"roles": ["customer", "emperor"]}
    )

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/roles/1"]


def test_the_last_administrator_stays(ada):
    administrator = client_for(ada["id"], "administrator")
    administrator.put(f"/api/users/{ada['id']}/roles", {"roles": ["administrator"]})

    answer = administrator.put(f"/api/users/{ada['id']}/roles", {"roles": ["customer"]})

    assert answer.status_code == 409
    assert answer.json()["code"] == "last_administrator"
    assert User.objects.using("users").get(pk=ada["id"]).roles == ["administrator"]


def test_roles_of_a_user_who_is_not_there_are_404():
    answer = client_for(uuid4(), "administrator").put(f"/api/users/{uuid4()}/roles", {"roles": []})

    assert answer.status_code == 404
    assert answer.json()["code"] == "user_unknown"


def test_no_answer_of_users_holds_a_password_hash(nobody, ada):
    staff = client_for(uuid4(), "administrator")

    answers = [staff.get(path).json() for path in ("/api/users", f"/api/users/{ada['id']}", "/api/users/roles")]

    assert "argon2" not in json.dumps(answers)
