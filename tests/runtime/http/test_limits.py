"""How often one client may ask, who is not counted, and what is said about it."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
import redis
from django.http import HttpResponse
from django.urls import path

from runtime.http import counters as counters_module
from runtime.http.counters import BadLimit, Counters, Limit, counters, parse_limit


@pytest.fixture
def client(serve, settings):
    settings.RATE_LIMIT_ANONYMOUS = "3/15m"
    settings.RATE_LIMIT_USER = "5/1m"
    redis.Redis.from_url(settings.CACHE_URL).flushdb()
    answers = ["thing", "health", "health/ready", "healthy", "api/docs", "api/schema", "api/orders/schema"]
    answers += [".well-known/jwks.json", "api/payments/webhooks/sandbox", "api/payments"]
    return serve(*(path(address, lambda request: HttpResponse("here")) for address in answers))


def ask(client, times: int, address: str = "/thing", **extra) -> list[int]:
    return [client.get(address, **extra).status_code for _ in range(times)]


def test_a_client_that_is_not_signed_in_has_so_many_requests(client):
    assert ask(client, 5) == [200, 200, 200, 429, 429]


def test_each_counted_answer_says_the_policy_and_what_is_left(client):
    first, second = client.get("/thing"), client.get("/thing")

    assert first["RateLimit-Policy"] == second["RateLimit-Policy"] == '"anonymous";q=3;w=900'
    assert re.fullmatch(r'"anonymous";r=2;t=(900|899)', first["RateLimit"])
    assert re.fullmatch(r'"anonymous";r=1;t=(900|899)', second["RateLimit"])


def test_too_many_is_a_429_problem_that_says_when_to_come_back(client):
    ask(client, 3)
    answer = client.get("/thing")

    assert answer.status_code == 429
    assert answer.json()["code"] == "rate_limited"
    assert answer["Content-Type"] == "application/problem+json"
    assert 890 <= int(answer["Retry-After"]) <= 900
    assert answer["RateLimit"] == f'"anonymous";r=0;t={answer["Retry-After"]}'


def test_addresses_that_are_not_there_are_counted_too(client):
    assert ask(client, 4, "/no/such/thing") == [404, 404, 404, 429]


def test_addresses_that_are_not_there_are_not_counted_for_whoever_is_signed_in(client, signed_in):
    ada = signed_in("customer")

    assert ask(client, 10, "/no/such/thing", headers=ada) == [404] * 10
    assert "RateLimit" not in client.get("/no/such/thing", headers=ada)
    assert ask(client, 6, headers=ada) == [200] * 5 + [429]


def test_another_address_has_its_own_count(client):
    ask(client, 4)

    assert ask(client, 1, REMOTE_ADDR="198.51.100.1") == [200]


def test_a_subscribers_ipv6_network_is_one_client(client):
    statuses = [ask(client, 1, REMOTE_ADDR=f"2001:db8:1:2::{n:x}")[0] for n in range(4)]

    assert statuses == [200, 200, 200, 429]
    assert ask(client, 1, REMOTE_ADDR="2001:db8:1:3::1") == [200]


def test_a_signed_in_user_is_counted_by_id_from_anywhere(client, signed_in):
    ada = signed_in("customer", user_id=uuid4())
    statuses = [ask(client, 1, headers=ada, REMOTE_ADDR=f"198.51.100.{n}")[0] for n in range(6)]

    assert statuses == [200] * 5 + [429]
    assert client.get("/thing", headers=ada)["RateLimit-Policy"] == '"user";q=5;w=60'
    assert ask(client, 1, headers=signed_in("customer")) == [200]


def test_signed_in_requests_leave_the_addresss_count_alone(client, signed_in):
    ask(client, 5, headers=signed_in("customer"))

    assert ask(client, 3) == [200, 200, 200]


@pytest.mark.parametrize("role", ["support", "operator", "administrator"])
def test_staff_are_not_counted_and_not_told_of_a_limit(client, signed_in, role):
    staff = signed_in(role)

    assert ask(client, 20, headers=staff) == [200] * 20
    assert "RateLimit" not in client.get("/thing", headers=staff)


@pytest.mark.parametrize("token", ["Bearer x.y.z", "Basic YTpi", "Bearer "])
def test_a_bad_token_is_counted_as_nobody(client, token):
    statuses = ask(client, 2, headers={"authorization": token}) + ask(client, 2)

    assert statuses == [200, 200, 200, 429]


@pytest.mark.parametrize(
    "address",
    [
        "/health",
        "/health/ready",
        "/.well-known/jwks.json",
        "/api/schema",
        "/api/docs",
        "/api/orders/schema",
        "/api/payments/webhooks/sandbox",
    ],
)
def test_machines_addresses_are_exempt(client, address):
    assert ask(client, 10, address) == [200] * 10
    assert "RateLimit" not in client.get(address)


@pytest.mark.parametrize("address", ["/healthy", "/api/payments"])
def test_an_address_that_only_begins_like_an_exempt_one_is_counted(client, address):
    assert ask(client, 4, address)[-1] == 429


def test_off_is_off(client, settings):
    settings.RATE_LIMIT_ANONYMOUS = "off"

    assert ask(client, 10) == [200] * 10
    assert "RateLimit" not in client.get("/thing")


def test_a_limit_is_what_it_is_now(client, go_by):
    go_by({"limits.anonymous": "1/15m"})
    assert ask(client, 2) == [200, 429]

    go_by({})

    assert ask(client, 2) == [200, 429]


def test_what_the_environment_has_off_is_counted_by_somebody_in_front_whatever_is_changed(client, settings, go_by):
    settings.RATE_LIMIT_ANONYMOUS = "off"
    go_by({"limits.anonymous": "1/15m"})

    assert ask(client, 3) == [200] * 3


# --- Behind a proxy -------------------------------------------------------------------------------------------------


def test_a_header_of_the_clients_own_does_not_give_it_a_new_count(client):
    statuses = [ask(client, 1, headers={"x-forwarded-for": f"192.0.2.{n}"})[0] for n in range(4)]

    assert statuses == [200, 200, 200, 429]


def test_behind_our_proxy_each_client_has_its_own_count(client, settings):
    settings.TRUSTED_PROXIES = ("127.0.0.1", "10.0.0.0/8")

    assert ask(client, 4, headers={"x-forwarded-for": "192.0.2.1"})[-1] == 429
    assert ask(client, 1, headers={"x-forwarded-for": "192.0.2.2"}) == [200]


def test_behind_our_proxy_what_the_client_wrote_further_left_is_not_believed(client, settings):
    settings.TRUSTED_PROXIES = ("127.0.0.1", "10.0.0.0/8")
    statuses = [ask(client, 1, headers={"x-forwarded-for": f"203.0.113.{n}, 192.0.2.1, 10.1.2.3"})[0] for n in range(4)]

    assert statuses == [200, 200, 200, 429]


# --- Counting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("100/15m", Limit(quota=100, seconds=900)),
        ("600/1m", Limit(quota=600, seconds=60)),
        ("5/1h", Limit(quota=5, seconds=3600)),
        ("off", None),
    ],
)
def test_a_limit_is_written_count_and_time(text, limit):
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    "text", ["", "100", "100/m", "0/1m", "1/0m", "-1/1m", "1/1x", "1/1.5m", "100 / 15 minutes", "OFF"]
)
def test_another_limit_is_refused_with_the_text(text):
    with pytest.raises(BadLimit, match=re.escape(repr(text))):
        parse_limit(text)


def test_while_the_cache_is_away_this_process_counts_by_itself_and_says_so_once(caplog):
    alone = Counters("redis://127.0.0.1:1/0")
    limit = Limit(quota=2, seconds=60)

    counts = [alone.count("x", limit) for _ in range(3)]

    assert [count.used for count in counts] == [1, 2, 3]
    assert [count.exceeded for count in counts] == [False, False, True]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_when_the_cache_is_back_it_counts_again(settings, monkeypatch):
    redis.Redis.from_url(settings.CACHE_URL).flushdb()
    back = Counters(settings.CACHE_URL)
    limit = Limit(quota=2, seconds=60)
    back.count("x", limit)
    monkeypatch.setattr(back, "_retry_at", counters_module.time.monotonic() + 1000)
    assert back.count("x", limit).used == 1
    monkeypatch.setattr(back, "_retry_at", 0.0)

    assert back.count("x", limit).used == 2


def test_the_count_is_shared_by_all_processes(settings):
    redis.Redis.from_url(settings.CACHE_URL).flushdb()
    limit = Limit(quota=9, seconds=60)
    one, other = Counters(settings.CACHE_URL), Counters(settings.CACHE_URL)
    one.count("x", limit)

    assert other.count("x", limit).used == 2
    assert other.count("x", limit, amount=-1).used == 1
    assert one.count("x", limit).resets_in in {59, 60}
    assert counters() is counters()


def test_no_counter_stays_for_ever(settings):
    server = redis.Redis.from_url(settings.CACHE_URL)
    server.flushdb()
    shared = Counters(settings.CACHE_URL)
    limit = Limit(quota=9, seconds=60)
    shared.count("given-back", limit, amount=-1)
    shared.count("counted", limit)

    assert [server.ttl(key) for key in server.scan_iter()] == [60, 60]
