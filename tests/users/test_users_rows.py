"""The rows about users in the table of addresses, one test each, walked through with every answer that it promises."""

from __future__ import annotations

from uuid import uuid4

import jwt
import pytest
from rest_framework.test import APIClient

from apps.users.models import User
from contracts.users import ROLES
from tests.users.conftest import PASSWORD, token_in

pytestmark = pytest.mark.django_db

GRACE = {"email": "grace@example.com", "name": "Grace Hopper", "password": "a nanosecond of wire"}
USER = {"id", "email", "name", "roles", "active", "emailVerified", "createdAt"}


def problem(answer, status: int, code: str) -> dict:
    """What every error looks like."""
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert answer["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code"} <= body.keys()
    return body


def bearer(token: str) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def test_registering_is_201_400_or_409(nobody):
    made = nobody.post("/api/users", GRACE)
    assert made.status_code == 201
    assert made.json().keys() == USER
    assert made["Location"] == f"/api/users/{made.json()['id']}"

    bad = problem(nobody.post("/api/users", {**GRACE, "password": "short"}), 400, "validation_failed")
    assert [error["pointer"] for error in bad["errors"]] == ["/password"]
    problem(nobody.post("/api/users", GRACE), 409, "email_taken")
    problem(nobody.post("/api/users", "{", content_type="application/json"), 400, "malformed_json")
    problem(
        nobody.post("/api/users", "x=1", content_type="application/x-www-form-urlencoded"),
        415,
        "unsupported_media_type",
    )
    problem(bearer("no.such.token").post("/api/users", GRACE), 401, "invalid_token")
    assert User.objects.using("users").count() == 1


def test_signing_in_is_200_400_or_401(nobody, ada):
    pair = nobody.post("/api/users/token", {"email": ada.email, "password": PASSWORD})
    assert pair.status_code == 200
    assert pair.json().keys() == {"access", "refresh"}
    assert bearer(pair.json()["access"]).get("/api/users/me").json()["id"] == str(ada.id)

    problem(nobody.post("/api/users/token", {"email": ada.email, "password": "wrong"}), 401, "invalid_credentials")
    problem(nobody.post("/api/users/token", {"email": "x@y.example", "password": "wrong"}), 401, "invalid_credentials")
    problem(nobody.post("/api/users/token", {"email": ada.email}), 400, "validation_failed")


def test_refreshing_rotates_and_a_refused_token_is_401(nobody, ada):
    first = ada.sign_in().json()["refresh"]
    pair = nobody.post("/api/users/token/refresh", {"refresh": first})
    assert (pair.status_code, pair.json().keys()) == (200, {"access", "refresh"})
    assert pair.json()["refresh"] != first

    problem(nobody.post("/api/users/token/refresh", {"refresh": first}), 401, "invalid_refresh_token")
    problem(nobody.post("/api/users/token/refresh", {"refresh": "x"}), 401, "invalid_refresh_token")
    problem(nobody.post("/api/users/token/refresh", {}), 400, "validation_failed")


def test_revoking_is_200_whatever_the_token(nobody, ada):
    token = ada.sign_in().json()["refresh"]
    assert nobody.post("/api/users/token/revoke", {"refresh": token}).status_code == 200
    assert nobody.post("/api/users/token/revoke", {"refresh": "unknown"}).status_code == 200
    problem(nobody.post("/api/users/token/refresh", {"refresh": token}), 401, "invalid_refresh_token")
    problem(nobody.post("/api/users/token/revoke", {"refresh": 1}), 400, "validation_failed")


def test_me_is_200_for_whoever_is_signed_in_and_401_for_anybody_else(nobody, ada):
    assert ada.client.get("/api/users/me").json() == ada.client.get(ada.path).json()
    problem(nobody.get("/api/users/me"), 401, "not_authenticated")
    problem(bearer("no.such.token").get("/api/users/me"), 401, "invalid_token")
    problem(ada.client.delete("/api/users/me"), 405, "method_not_allowed")


def test_an_account_is_200_for_its_owner_and_staff_and_404_for_anybody_else(nobody, ada, person):
    assert ada.client.get(ada.path).json().keys() == USER
    assert person("support").client.get(ada.path).status_code == 200
    problem(person().client.get(ada.path), 404, "user_unknown")
    problem(person("support").client.get(f"/api/users/{uuid4()}"), 404, "user_unknown")
    problem(ada.client.get("/api/users/not-an-id"), 404, "not_found")
    problem(nobody.get(ada.path), 401, "not_authenticated")


def test_changing_an_account_is_200_400_403_404_or_409(nobody, ada, person):
    other = person()
    assert ada.client.patch(ada.path, {"name": "Ada King"}).json()["name"] == "Ada King"
    assert person("operator", "customer").client.patch(ada.path, {"active": False}).json()["active"] is False

    problem(ada.client.patch(ada.path, {"name": ""}), 400, "validation_failed")
    problem(ada.client.patch(ada.path, {"active": True}), 403, "permission_denied")
    problem(other.client.patch(ada.path, {"name": "x"}), 404, "user_unknown")
    problem(ada.client.patch(ada.path, {"email": other.email}), 409, "email_taken")
    problem(nobody.patch(ada.path, {"name": "x"}), 401, "not_authenticated")


def test_erasing_an_account_is_204_404_or_409(nobody, ada, person):
    boss = person("administrator")
    problem(person().client.delete(ada.path), 404, "user_unknown")
    problem(nobody.delete(ada.path), 401, "not_authenticated")
    problem(boss.client.delete(boss.path), 409, "last_administrator")

    assert ada.client.delete(ada.path).status_code == 204
    problem(ada.client.delete(ada.path), 404, "user_unknown")


def test_the_list_is_a_page_for_staff_and_403_for_a_customer(nobody, ada, person):
    page = person("support").client.get("/api/users?limit=1")
    assert page.status_code == 200
    assert page.json().keys() == {"items", "next", "previous"}
    assert page.json()["items"][0].keys() == USER
    assert page.json()["next"].startswith("/api/users?cursor=")

    problem(ada.client.get("/api/users"), 403, "permission_denied")
    problem(nobody.get("/api/users"), 401, "not_authenticated")
    for query in ("limit=0", "limit=101", "limit=x", "cursor=x", "cursor="):
        refused = problem(person("support").client.get(f"/api/users?{query}"), 400, f"invalid_{query.split('=')[0]}")
        assert refused["errors"][0]["parameter"] == query.split("=")[0]


def test_roles_are_listed_with_their_permissions_for_staff(nobody, ada, person):
    answer = person("support").client.get("/api/users/roles")
    assert {item["name"]: set(item["permissions"]) for item in answer.json()["items"]} == ROLES
    problem(ada.client.get("/api/users/roles"), 403, "permission_denied")
    problem(nobody.get("/api/users/roles"), 401, "not_authenticated")


def test_giving_roles_is_200_for_an_administrator_and_403_for_an_operator(nobody, ada, person):
    boss = person("administrator")
    path = f"{ada.path}/roles"
    assert boss.client.put(path, {"roles": ["support"]}).json()["roles"] == ["support"]
    signed_in = ada.sign_in().json()["access"]
    assert jwt.decode(signed_in, options={"verify_signature": False})["roles"] == ["support"]

    problem(person("operator").client.put(path, {"roles": []}), 403, "permission_denied")
    problem(ada.client.put(path, {"roles": ["administrator"]}), 403, "permission_denied")
    problem(nobody.put(path, {"roles": []}), 401, "not_authenticated")
    problem(boss.client.put(path, {"roles": ["emperor"]}), 400, "validation_failed")
    problem(boss.client.put(path, {}), 400, "validation_failed")
    problem(boss.client.put(f"/api/users/{uuid4()}/roles", {"roles": []}), 404, "user_unknown")
    problem(boss.client.put(f"{boss.path}/roles", {"roles": []}), 409, "last_administrator")


def test_a_forgotten_password_is_202_then_200_or_400(nobody, ada, letters):
    letters()
    assert nobody.post("/api/users/password-reset", {"email": ada.email}).status_code == 202
    assert nobody.post("/api/users/password-reset", {"email": "nobody@example.com"}).status_code == 202
    problem(nobody.post("/api/users/password-reset", {}), 400, "validation_failed")

    body = {"token": token_in(letters()[0]), "password": "a new one entirely"}
    assert nobody.post("/api/users/password-reset/confirm", body).status_code == 200
    problem(nobody.post("/api/users/password-reset/confirm", body), 400, "invalid_mail_token")
    assert ada.sign_in("a new one entirely").status_code == 200


def test_confirming_an_address_is_200_400_or_for_the_letter_202_401_409(nobody, ada, letters):
    assert ada.client.post("/api/users/verify-email/resend").status_code == 202
    problem(nobody.post("/api/users/verify-email/resend"), 401, "not_authenticated")
    token = token_in(letters()[0])
    assert nobody.post("/api/users/verify-email", {"token": token}).status_code == 200
    problem(nobody.post("/api/users/verify-email", {"token": token}), 400, "invalid_mail_token")
    problem(nobody.post("/api/users/verify-email", {}), 400, "validation_failed")
    problem(ada.client.post("/api/users/verify-email/resend"), 409, "email_verified_already")
