"""A cursor that was not handed out for this list is refused, whatever it is; one that was goes on where it stopped."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

import pytest
from django.core import signing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from apps.inventory.service import SERVICE as INVENTORY
from apps.orders.models import Order
from apps.payments.models import Payment
from apps.users.models import User
from contracts._base import Money, new_id
from runtime.databases.clock import database_time
from runtime.identity.tokens import issue

pytestmark = pytest.mark.django_db

LISTS = ("/api/users", "/api/orders", "/api/payments", "/api/inventory/products")

same_each_time = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def staff() -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue(user_id=uuid4(), roles=['support'])}")
    return client


@pytest.fixture
def cursors(staff: APIClient) -> dict[str, str]:
    """A good cursor of each list."""
    now = database_time("orders")
    for number in range(3):
        User.objects.using("users").create(email=f"{number}@fuzz.example", name="x", password="!")
        order: dict[str, Any] = {"user_id": uuid4(), "items": [], "total": 1, "currency": "GBP", "status": "confirmed"}
        Order.objects.using("orders").create(id=new_id(), **order, version=1, created_at=now, updated_at=now)
        payment: dict[str, Any] = {"order_id": uuid4(), "amount": 1, "currency": "GBP", "provider": "sandbox"}
        Payment.objects.using("payments").create(key=str(number), **payment)
        INVENTORY.add_product(sku=f"F-{number}", name="x", description="", price=Money(Decimal(1), "GBP"), active=True)
    return {path: _cursor_of(staff.get(f"{path}?limit=1").json()["next"]) for path in LISTS}


def _cursor_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["cursor"][0]


def _ask(client: APIClient, path: str, cursor: str) -> Any:
    return client.get(f"{path}?limit=1&cursor={quote(cursor, safe='')}")


def _is_refused(answer: Any) -> None:
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    if body["code"] != "unusable_text":
        assert (body["code"], body["errors"][0]["parameter"]) == ("invalid_cursor", "cursor")


def test_a_cursor_that_was_handed_out_is_good(staff, cursors):
    for path, cursor in cursors.items():
        assert _ask(staff, path, cursor).status_code == 200
        assert len(_ask(staff, path, cursor).json()["items"]) == 1


@pytest.mark.parametrize("path", LISTS)
def test_made_up_cursors_are_refused(staff, path):
    @same_each_time
    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def check(cursor: str) -> None:
        _is_refused(_ask(staff, path, cursor))

    check()


@pytest.mark.parametrize("path", LISTS)
def test_cursors_that_were_cut_or_changed_are_refused(staff, cursors, path):
    good = cursors[path]

    @same_each_time
    @given(st.data())
    def check(data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(good) - 1))
        how = data.draw(st.sampled_from(["cut", "changed", "longer", "doubled"]))
        other = data.draw(st.sampled_from("ABCxyz019-_:.=").filter(lambda letter: letter != good[at]))
        bad = {
            "cut": good[:at],
            "changed": good[:at] + other + good[at + 1 :],
            "longer": good[:at] + other + good[at:],
            "doubled": good + good,
        }[how]
        _is_refused(_ask(staff, path, bad))

    check()


@pytest.mark.parametrize("path", LISTS)
def test_cursors_of_other_lists_are_refused(staff, cursors, path):
    for other in set(LISTS) - {path}:
        _is_refused(_ask(staff, path, cursors[other]))


@pytest.mark.parametrize("path", LISTS)
def test_what_is_signed_for_something_else_is_no_cursor(staff, path):
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    )

    @same_each_time
    @given(values, st.sampled_from(["runtime.databases.keyset", "another"]))
    def check(value: Any, salt: str) -> None:
        _is_refused(_ask(staff, path, signing.dumps(value, salt=salt)))

    check()


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_signed_with_a_key_that_only_looks_like_ours_is_refused(staff, cursors, path):
    payload = signing.loads(cursors[path], salt="runtime.databases.keyset")

    _is_refused(_ask(staff, path, signing.dumps(payload, key="another key", salt="runtime.databases.keyset")))
    assert _ask(staff, path, signing.dumps(payload, salt="runtime.databases.keyset")).status_code == 200
