"""Lists come a page at a time, by key: nothing is shown twice, nothing is left out, and no page costs more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import signing
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.urls import path

from apps.users.models import User
from runtime.databases.keyset import BadCursor, PageRequest
from runtime.databases.keyset import slice as slice_
from runtime.http.pages import page_answer, read_page
from runtime.http.serializers import StrictSerializer, TextField
from runtime.http.views import View
from runtime.identity import Anyone

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)


class NameSerializer(StrictSerializer):
    name = TextField()


class Names(View):
    permission_classes = [Anyone]

    def get(self, request):
        rows = User.objects.using("users").exclude(name="hidden")
        page = slice_(rows, field="created_at", descending=True, request=read_page(request))
        return page_answer(request, page, NameSerializer)


@pytest.fixture
def client(serve):
    return serve(path("api/names", Names.as_view()))


def add(*names: str, minutes: int = 0) -> None:
    for name in names:
        moment = START + timedelta(minutes=minutes)
        User(name=name, email=f"{name}@example.com", password="!", created_at=moment).save(using="users")


def names(page: dict) -> list[str]:
    return [item["name"] for item in page["items"]]


def walk(client, address: str, way: str = "next") -> list[list[str]]:
    pages = []
    while address:
        page = client.get(address).json()
        pages.append(names(page))
        address = page[way]
    return pages


def test_pages_follow_each_other_and_lead_back_again(client):
    for minute, name in enumerate("abcdefg"):
        add(name, minutes=minute)

    forward = walk(client, "/api/names?limit=3")
    last = "/api/names?limit=3"
    while (address := client.get(last).json()["next"]) is not None:
        last = address

    assert forward == [["g", "f", "e"], ["d", "c", "b"], ["a"]]
    assert walk(client, last, "previous") == [["a"], ["d", "c", "b"], ["g", "f", "e"]]


def test_the_first_page_has_no_previous_and_the_last_no_next(client):
    add("a", "b")

    page = client.get("/api/names").json()

    assert (page["next"], page["previous"]) == (None, None)


def test_an_empty_list_is_an_empty_page(client):
    assert client.get("/api/names").json() == {"items": [], "next": None, "previous": None}


def test_a_page_that_fits_exactly_has_no_next(client):
    add("a", "b", "c")

    assert client.get("/api/names?limit=3").json()["next"] is None


def test_equal_values_are_put_in_order_by_the_key(client):
    add(*"abcdefghij")

    pages = walk(client, "/api/names?limit=3")

    assert sorted(name for page in pages for name in page) == list("abcdefghij")
    assert [len(page) for page in pages] == [3, 3, 3, 1]


def test_rows_that_come_in_between_shift_nothing(client):
    for minute, name in enumerate("abcd"):
        add(name, minutes=minute)
    first = client.get("/api/names?limit=2").json()
    add("new", minutes=60)

    assert names(client.get(first["next"]).json()) == ["b", "a"]


def test_a_row_that_is_gone_is_still_a_place_to_go_on_from(client):
    for minute, name in enumerate("abcd"):
        add(name, minutes=minute)
    first = client.get("/api/names?limit=2").json()
    User.objects.using("users").filter(name="c").delete()

    assert names(client.get(first["next"]).json()) == ["b", "a"]


def test_next_is_a_path_that_keeps_the_other_parameters(client):
    add("a", "b", "c")

    following = client.get("/api/names?status=x&limit=1&tag=1&tag=2&q=a%26b").json()["next"]

    parts = urlsplit(following)
    assert (parts.scheme, parts.netloc, parts.path) == ("", "", "/api/names")
    query = parse_qs(parts.query)
    assert {name: query[name] for name in ("status", "limit", "tag", "q")} == {
        "status": ["x"],
        "limit": ["1"],
        "tag": ["1", "2"],
        "q": ["a&b"],
    }
    assert len(query["cursor"]) == 1


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "1.5", "1e2", "٣", "99999999999999999999", " 5", "+5"])
def test_a_bad_limit_is_a_400_that_names_it(client, limit):
    answer = client.get("/api/names", {"limit": limit})

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_limit"
    assert [error["parameter"] for error in answer.json()["errors"]] == ["limit"]


def test_the_largest_page_has_a_hundred_items_and_the_usual_one_twenty(client):
    add(*(f"n{n}" for n in range(120)))

    assert len(client.get("/api/names?limit=100").json()["items"]) == 100
    assert len(client.get("/api/names").json()["items"]) == 20


def a_cursor(*values: object, name: str = "users.user.created_at-", back: bool = False) -> str:
    return signing.dumps([name, back, *values], salt="runtime.databases.keyset")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "WyJhIl0:1abc:xyz",
        "\u00e9",
        "' OR 1=1 --",
        "a" * 10_000,
        signing.dumps(["users.user.created_at-", False, "2026-01-01T00:00:00Z", "1"], salt="another"),
    ],
    ids=range(7),
)
def test_a_cursor_that_was_not_handed_out_is_a_400_that_names_it(client, cursor):
    add("a", "b")

    answer = client.get("/api/names", {"cursor": cursor})

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_cursor"
    assert [error["parameter"] for error in answer.json()["errors"]] == ["cursor"]


@pytest.mark.parametrize(
    "cursor",
    [
        a_cursor("a@example.com", name="users.user.email+"),
        a_cursor("2026-01-01T00:00:00Z"),
        a_cursor("not a time", "01a20720-03b7-7247-817c-afa6f1fd94fd"),
        a_cursor("2026-01-01T00:00:00Z", "not an id"),
        a_cursor(None, None),
        signing.dumps("text", salt="runtime.databases.keyset"),
        signing.dumps([], salt="runtime.databases.keyset"),
        signing.dumps(7, salt="runtime.databases.keyset"),
    ],
    ids=range(8),
)
def test_a_cursor_of_another_list_is_a_400(client, cursor):
    assert client.get("/api/names", {"cursor": cursor}).json()["code"] == "invalid_cursor"


def test_no_page_uses_offset(client):
    add(*"abcdef")
    following = client.get("/api/names?limit=2").json()["next"]

    with CaptureQueriesContext(connections["users"]) as queries:
        client.get(following)

    assert len(queries) == 1
    assert "OFFSET" not in queries[0]["sql"].upper()
    assert "LIMIT 3" in queries[0]["sql"]


# --- The service's side ---------------------------------------------------------------------------------------------


def test_a_unique_field_needs_no_second_one(client):
    add("b", "a", "c")
    users = User.objects.using("users")

    with CaptureQueriesContext(connections["users"]) as queries:
        first = slice_(users, field="email", descending=False, request=PageRequest(limit=2))
        second = slice_(users, field="email", descending=False, request=PageRequest(limit=2, cursor=first.next_key))

    assert [row.name for row in first.items] == ["a", "b"]
    assert second.map(lambda row: row.name).items == ["c"]
    assert [query["sql"].split("ORDER BY")[1].split("LIMIT")[0].count(",") for query in queries] == [0, 0]


def test_a_cursor_is_for_one_direction_of_order(client):
    add("a", "b", "c")
    users = User.objects.using("users")
    key = slice_(users, field="email", descending=False, request=PageRequest(limit=1)).next_key

    with pytest.raises(BadCursor):
        slice_(users, field="email", descending=True, request=PageRequest(limit=1, cursor=key))


def test_a_column_that_may_be_null_cannot_order_a_page():
    from apps.users.models import RefreshToken

    with pytest.raises(ValueError, match="used_at may be null"):
        slice_(RefreshToken.objects.using("users"), field="used_at", descending=False, request=PageRequest())
