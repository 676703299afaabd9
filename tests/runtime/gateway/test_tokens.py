"""A token that the processes would refuse is refused at the door, and nothing passes on as nobody's."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from runtime.identity.keys import signing_key
from runtime.identity.tokens import issue
from tests.runtime.gateway.forgeries import FORGERIES, claims, signed

USER = uuid4()


def bearer(token: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {token}")]


def test_a_good_token_passes_on_and_its_subject_with_it(door, people):
    token = issue(user_id=USER, roles=["customer"])
    answer = door.send("GET", "/api/people", [*bearer(token), ("X-User-Id", "forged"), ("X_User_Id", "forged")])

    assert answer.status == 200
    passed = dict(people.only()["headers"])
    assert (passed["authorization"], passed["x-user-id"]) == (f"Bearer {token}", str(USER))
    assert "forged" not in json.dumps(passed)


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer   {}"])
def test_the_scheme_is_read_as_the_processes_read_it(door, people, header):
    token = issue(user_id=USER, roles=[])

    assert door.send("GET", "/api/people", [("Authorization", header.format(token))]).status == 200
    assert dict(people.only()["headers"])["x-user-id"] == str(USER)


def test_no_token_is_nobody(door, people):
    assert door.send("GET", "/api/people").status == 200
    assert door.send("GET", "/api/people", [("Authorization", "")]).status == 200
    assert all("x-user-id" not in dict(request["headers"]) for request in people.arrived)


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_bad_token_is_a_401_that_no_process_sees(door, people, forge):
    answer = door.send("GET", "/api/people", [("Authorization", forge(signing_key().private))])

    assert answer.status == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="mitosis", error="invalid_token"'
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The access token is malformed, expired, or not signed by us.",
        "instance": "/api/people",
        "code": "invalid_token",
    }
    assert people.arrived == []


def test_two_tokens_are_none(door, people):
    good = issue(user_id=USER, roles=["customer"])

    assert door.send("GET", "/api/people", bearer(good) * 2).status == 401
    assert door.send("GET", "/api/people", [*bearer(good), ("Authorization", "Basic YTpi")]).status == 401
    assert people.arrived == []


def test_a_token_that_expired_just_now_is_given_what_clocks_may_differ_by(door, people):
    for seconds, status in ((-5, 200), (-15, 401)):
        late = signed(claims(exp=seconds))
        assert door.send("GET", "/api/people", bearer(late)).status == status
    assert len(people.arrived) == 1


def test_where_people_sign_in_no_token_is_looked_at(door, people):
    for path in ("/api/people/token", "/api/people/token/refresh"):
        assert door.send("POST", path, bearer("x.y.z"), body=b"{}").status == 200
    assert door.send("POST", "/api/people/tokens", bearer("x.y.z"), body=b"{}").status == 401
    assert [request["path"] for request in people.arrived] == ["/api/people/token", "/api/people/token/refresh"]
    assert all("x-user-id" not in dict(request["headers"]) for request in people.arrived)


def test_the_console_has_cookies_of_its_own_and_keeps_them(door, people):
    assert door.send("GET", "/admin/", [*bearer("x.y.z"), ("Cookie", "console=abc; other=d")]).status == 200
    assert dict(people.only()["headers"])["cookie"] == "console=abc; other=d"


def test_an_unknown_address_is_a_404_whatever_the_token(door):
    assert door.send("GET", "/internal/contracts", bearer("x.y.z")).status == 404
