"""Who may do what, written down once: an address that is not in the table, or answers otherwise, fails here."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from config.urls import API
from contracts.users import ROLES

pytestmark = pytest.mark.django_db

NOBODY, CUSTOMER = "nobody", "customer"
EVERYBODY = {NOBODY, CUSTOMER, "support", "operator", "administrator"}
SIGNED_IN = EVERYBODY - {NOBODY}
STAFF = {"support", "operator", "administrator"}
OPERATORS = {"operator", "administrator"}

WHO_MAY = {
    "POST /api/users": EVERYBODY,
    "GET /api/users": STAFF,
    "POST /api/users/token": EVERYBODY,
    "POST /api/users/token/refresh": EVERYBODY,
    "POST /api/users/token/revoke": EVERYBODY,
    "GET /api/users/me": SIGNED_IN,
    "GET /api/users/roles": STAFF,
    "GET /api/users/{user_id}": SIGNED_IN,
    "PATCH /api/users/{user_id}": SIGNED_IN,
    "DELETE /api/users/{user_id}": SIGNED_IN,
    "POST /api/users/password-reset": EVERYBODY,
    "GET /api/users/password-reset/confirm": EVERYBODY,
    "POST /api/users/password-reset/confirm": EVERYBODY,
    "GET /api/users/verify-email": EVERYBODY,
    "POST /api/users/verify-email": EVERYBODY,
    "POST /api/users/verify-email/resend": SIGNED_IN,
    "PUT /api/users/{user_id}/roles": {"administrator"},
    "GET /api/inventory/products": EVERYBODY,
    "POST /api/inventory/products": OPERATORS,
    "GET /api/inventory/products/{sku}": EVERYBODY,
    "PATCH /api/inventory/products/{sku}": OPERATORS,
    "GET /api/inventory/products/{sku}/stock": EVERYBODY,
    "POST /api/inventory/products/{sku}/restock": OPERATORS,
    "POST /api/inventory/products/{sku}/adjust": OPERATORS,
    "GET /api/orders": SIGNED_IN,
    "POST /api/orders": SIGNED_IN,
    "GET /api/orders/{order_id}": SIGNED_IN,
    "GET /api/orders/{order_id}/events": SIGNED_IN,
    "POST /api/orders/{order_id}/cancel": SIGNED_IN,
    "POST /api/orders/{order_id}/ship": OPERATORS,
    "POST /api/orders/{order_id}/deliver": OPERATORS,
    "POST /api/orders/{order_id}/return": OPERATORS,
    "GET /api/orders/{order_id}/timeline": STAFF,
    "GET /api/payments": SIGNED_IN,
    "GET /api/payments/{payment_id}": SIGNED_IN,
    "POST /api/payments/{payment_id}/refunds": STAFF,
    "POST /api/payments/webhooks/{provider}": EVERYBODY,
}


def served() -> dict[str, type]:
    found = {}
    for resolver in API.values():
        for pattern in resolver.url_patterns:
            address = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", f"/api/{pattern.pattern}")
            for method in ("get", "post", "put", "patch", "delete"):
                if hasattr(pattern.callback.cls, method):
                    found[f"{method.upper()} {address}"] = pattern.callback.cls
    return found


def test_every_address_has_its_row():
    assert set(served()) == set(WHO_MAY)


@pytest.mark.parametrize("role", sorted(EVERYBODY))
@pytest.mark.parametrize("row", sorted(WHO_MAY))
def test_whoever_is_not_in_the_row_is_kept_out(row, role, signed_in):
    method, template = row.split()
    address = re.sub(r"\{\w+_id\}", str(uuid4()), template).replace("{sku}", "A").replace("{provider}", "nobody")
    headers = {} if role == NOBODY else signed_in(role)

    answer = APIClient(raise_request_exception=False).generic(
        method, address, "{}", "application/json", headers=headers
    )

    refusal = {401: "not_authenticated", 403: "permission_denied"}.get(answer.status_code)
    kept_out = refusal is not None and answer.json()["code"] == refusal
    assert answer.status_code < 500
    assert kept_out == (role not in WHO_MAY[row])
    if kept_out:
        assert answer.status_code == (401 if role == NOBODY else 403)


def test_every_permission_that_a_view_needs_is_held_by_some_role():
    needed = set()
    for view in served().values():
        for permission in view.permission_classes:
            needed |= {getattr(permission, "needed", None)} - {None}

    assert needed
    assert needed <= set().union(*ROLES.values())
