"""Who is not signed in is counted at the door, and told in the words that the processes use."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from itertools import count
from uuid import uuid4

import pytest

from runtime.gateway.site import Limits, Session
from runtime.http.counters import Limit
from runtime.identity.tokens import issue
from tests.runtime.gateway.doors import Door, site_of
from tests.together import wait_until

HERE = Limits(
    anonymous=Limit(quota=3, seconds=900),
    user=Limit(quota=5, seconds=60),
    uncounted_roles=("support", "operator"),
    exempt=("/health", "/api/people/webhooks"),
)


@pytest.fixture(scope="module")
def site(folder, groups, keys):
    """Clients come through a proxy of ours, so that a test is whoever it likes."""
    session = Session(path="/admin", cookie="console")
    return site_of(
        folder / "limited", groups, keys, limits=HERE, session=session, trusted_proxies=("127.0.0.1", "10.0.0.0/8")
    )


@pytest.fixture(scope="module")
def limited(site, started) -> Door:
    found: Door = started(Door, site)
    return found


_numbers = count(1)


@pytest.fixture
def address() -> str:
    """An address that no other test has."""
    return f"198.51.100.{next(_numbers)}"


@pytest.fixture
def users():
    return lambda *roles: ("Authorization", f"Bearer {issue(user_id=uuid4(), roles=roles)}")


def ask(door, times, address, path="/api/people", *headers):
    return [door.send("GET", path, [("X-Forwarded-For", address), *headers]) for _ in range(times)]


def statuses(answers):
    return [answer.status for answer in answers]


def test_so_many_and_no_more_and_every_answer_says_what_is_left(limited, people, address):
    people.forget()
    answers = ask(limited, 5, address)

    assert statuses(answers) == [200, 200, 200, 429, 429]
    assert len(people.arrived) == 3
    assert {answer["RateLimit-Policy"] for answer in answers} == {'"anonymous";q=3;w=900'}
    assert [re.sub(r"t=(900|89\d)$", "t=…", str(answer["RateLimit"])) for answer in answers] == [
        f'"anonymous";r={left};t=…' for left in (2, 1, 0, 0, 0)
    ]
    assert answers[-1]["RateLimit"] == f'"anonymous";r=0;t={answers[-1]["Retry-After"]}'
    assert answers[-1]["Content-Type"] == "application/problem+json"
    assert answers[-1].json == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "Too many requests. Try again later.",
        "instance": "/api/people",
        "code": "rate_limited",
    }


def test_another_address_has_its_own_count_and_an_ipv6_network_is_one_client(limited, address):
    ask(limited, 4, address)

    assert statuses(ask(limited, 1, "203.0.113.1")) == [200]
    assert [ask(limited, 1, f"2001:db8:1:2::{n:x}")[0].status for n in range(4)] == [200, 200, 200, 429]
    assert statuses(ask(limited, 1, "2001:db8:1:3::1")) == [200]


def test_what_a_client_writes_left_of_our_proxies_is_not_looked_at(limited, people, address):
    people.forget()
    answers = [ask(limited, 1, f"203.0.113.{n}, {address}, 10.0.0.7")[0] for n in range(100, 104)]

    assert statuses(answers) == [200, 200, 200, 429]
    assert {dict(request["headers"])["x-forwarded-for"] for request in people.arrived} == {address}


@pytest.mark.parametrize("told", ["{}, garbage", "{}, 10.0.0.7, garbage", "{}, unix:"])
def test_left_of_what_is_no_address_nothing_is_believed(limited, people, address, told):
    people.forget()
    limited.send("GET", "/health/live", [("X-Forwarded-For", told.format(address))])
    limited.send("GET", "/api/people/webhooks", [("X-Forwarded-For", told.format(address))])

    assert dict(people.only()["headers"])["x-forwarded-for"] == "127.0.0.1"


def test_a_bad_token_and_an_unknown_address_are_counted_as_nobody(limited, address):
    bad = ("Authorization", "Bearer x.y.z")

    assert statuses(ask(limited, 2, address, "/api/people", bad)) == [401, 401]
    assert statuses(ask(limited, 2, address, "/nowhere")) == [404, 429]
    assert statuses(ask(limited, 1, address, "/api/people", bad)) == [429]


def test_a_user_is_counted_by_id_from_anywhere_and_not_by_address(limited, address, users):
    ada = users("customer")
    answers = [ask(limited, 1, f"203.0.113.{n}", "/api/people", ada)[0] for n in range(20, 26)]

    assert statuses(answers) == [200] * 5 + [429]
    assert answers[0]["RateLimit-Policy"] == '"user";q=5;w=60'
    assert re.fullmatch(r'"user";r=4;t=(60|59)', str(answers[0]["RateLimit"]))
    assert statuses(ask(limited, 1, address, "/api/people", users("customer"))) == [200]
    assert statuses(ask(limited, 3, address)) == [200] * 3


@pytest.mark.parametrize("role", ["support", "operator"])
def test_whoever_works_for_the_shop_is_not_counted(limited, address, users, role):
    answers = ask(limited, 12, address, "/api/people", users("customer", role))

    assert statuses(answers) == [200] * 12
    assert answers[-1]["RateLimit"] is None


@pytest.mark.parametrize("path", ["/health/live", "/api/people/webhooks/sandbox"])
def test_machines_addresses_are_exempt(limited, address, path):
    answers = ask(limited, 6, address, path)

    assert statuses(answers) == [200] * 6
    assert answers[0]["RateLimit"] is None
    assert statuses(ask(limited, 4, address, "/api/people/webhooksome"))[-1] == 429


def test_people_at_the_console_are_not_counted_while_their_cookie_is_good(limited, address):
    good = ("Cookie", "console=good")

    assert statuses(ask(limited, 8, address, "/admin/", good)) == [200] * 8
    assert statuses(ask(limited, 4, address)) == [200, 200, 200, 429]
    assert statuses(ask(limited, 2, address, "/admin/", good)) == [200, 200]
    assert statuses(ask(limited, 1, address, "/admin/")) == [429]


def test_a_forged_cookie_at_the_console_is_counted_and_means_nothing_elsewhere(limited, address):
    forged = ("Cookie", "console=forged")

    assert statuses(ask(limited, 6, address, "/admin/forged-session", forged)) == [200] * 4 + [429] * 2
    assert statuses(ask(limited, 4, address, "/api/people", forged)) == [200, 200, 200, 429]


def test_a_window_ends_after_its_time_and_not_after_the_last_request(folder, groups, keys, started, address):
    limits = replace(HERE, anonymous=Limit(quota=3, seconds=2))
    door = started(Door, site_of(folder / "short", groups, keys, limits=limits, trusted_proxies=("127.0.0.1",)))
    assert statuses(ask(door, 4, address)) == [200, 200, 200, 429]
    # Each of these is a request as well.
    wait_until(lambda: ask(door, 1, address)[0].status == 200, limit=5)


def test_counts_outlive_a_reload(limited, site, address):
    """The old process tells the new one. Until it has run for five seconds it hopes to be told itself."""
    wait_until(lambda: time.monotonic() - limited.started > 6)
    assert statuses(ask(limited, 4, address)) == [200, 200, 200, 429]
    limited.reload(replace(site, answer_within=29))
    limited.await_former_worker()

    assert statuses(ask(limited, 1, address)) == [429]
    assert statuses(ask(limited, 1, "203.0.113.99")) == [200]
