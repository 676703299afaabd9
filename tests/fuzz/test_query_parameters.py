"""Whatever stands behind the question mark: an answer or a 400 that names the parameter, and never a fault of ours."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, quote_from_bytes
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from runtime.identity.tokens import issue

pytestmark = pytest.mark.django_db

PARAMETERS = {
    "/api/users": ["limit", "cursor"],
    "/api/orders": ["status", "limit", "cursor"],
    "/api/payments": ["orderId", "limit", "cursor"],
    "/api/inventory/products": ["search", "limit", "cursor"],
    "/api/orders/{order}": ["version", "asOf"],
}

same_each_time = settings(
    max_examples=80,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

odd = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers().map(str),
    st.floats().map(str),
    st.uuids().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.sampled_from(["", "0", "-1", "1e3", "0x10", " 1", "1 ", "+1", "٣", "\uff11", "1_000", "null", "true", "NaN"]),
    st.sampled_from(["9" * 400, "%", "%_", "\\", "'", '"; DROP TABLE', "2026-01-31", "2026-01-31T12:00:00"]),
    st.just("0001-01-01T00:00:00+14:00"),
)


@pytest.fixture
def staff() -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue(user_id=uuid4(), roles=['support'])}")
    return client


def _is_sane(answer: Any, names: list[str]) -> None:
    assert answer.status_code in {200, 400, 404}, answer.content
    if answer.status_code == 400:
        body = answer.json()
        assert body["code"] == "unusable_text" or body["errors"][0]["parameter"] in names, body


@pytest.mark.parametrize(
    ("path", "name"), [(path, name) for path, names in PARAMETERS.items() for name in names], ids=lambda part: part
)
def test_a_parameter_of_any_kind_is_answered_or_named(staff, path, name):
    address = path.replace("{order}", str(uuid4()))

    @same_each_time
    @given(odd)
    @example("\x00")
    @example("9999-12-31T23:59:59-14:00")
    @example(str(2**63))
    def check(value: str) -> None:
        _is_sane(staff.get(f"{address}?{name}={quote(value, safe='')}"), [name])

    check()


@pytest.mark.parametrize("path", PARAMETERS)
def test_several_and_unknown_ones_and_the_same_twice_are_answered_or_named(staff, path):
    address, names = path.replace("{order}", str(uuid4())), PARAMETERS[path]

    @same_each_time
    @given(st.lists(st.tuples(st.sampled_from([*names, "unknown", "Limit", ""]), odd), max_size=5))
    def check(pairs: list[tuple[str, str]]) -> None:
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
        _is_sane(staff.get(f"{address}?{query}"), names)

    check()


@pytest.mark.parametrize("path", PARAMETERS)
def test_bytes_that_are_no_text_are_answered_or_refused(staff, path):
    address = path.replace("{order}", str(uuid4()))

    @same_each_time
    @given(st.binary(max_size=30), st.booleans())
    def check(raw: bytes, escaped: bool) -> None:
        query = quote_from_bytes(raw, safe="") if escaped else raw.decode("latin-1").replace("#", "")
        _is_sane(staff.generic("GET", f"{address}?{query}"), PARAMETERS[path])

    check()
