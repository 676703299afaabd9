"""A worker or a relay says how it is and what it has counted, at a door of its own and nothing else there."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
import urllib3

from config.values import BadSetting, bind
from runtime.telemetry.metrics import count_call
from runtime.telemetry.probes import open_door


@pytest.fixture
def door(settings) -> Iterator[str]:
    settings.PROBE_BIND = ("127.0.0.1", 0)
    server = open_door()
    assert isinstance(server, ThreadingHTTPServer)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_it_tells_what_was_counted_here_and_asks_no_database(door, settings):
    settings.METRIC_COLLECTORS = ("nowhere.to.be.Found",)
    count_call(callee="users", method="probed", way="local", result="ok", seconds=0.001)

    answer = urllib3.request("GET", f"{door}/metrics")

    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    assert b'mitosis_call_duration_seconds_count{callee="users",method="probed"' in answer.data


@pytest.mark.parametrize("path", ["/health/live", "/health/startup"])
def test_it_lives_and_has_started_whatever_is_away(door, settings, monkeypatch, path):
    """No database mark: a query would be refused."""
    settings.CACHE_URL = "redis://127.0.0.1:1/0"

    answer = urllib3.request("GET", door + path)

    assert (answer.status, answer.json()["status"]) == (200, "healthy")


def test_it_is_ready_where_its_databases_and_the_cache_answer(committed, door):
    answer = urllib3.request("GET", f"{door}/health/ready")

    assert (answer.status, answer.json()["status"]) == (200, "healthy")
    one = urllib3.request("GET", f"{door}/health/ready/orders")
    assert (one.status, set(one.json()["checks"])) == (200, {"database-orders", "cache"})


@pytest.mark.parametrize(
    "path",
    ["/", "/api/orders", "/internal/config", "/internal/contracts/orders/audit", "/health/ready/shipping", "/%ff"],
)
def test_there_is_nothing_else_behind_it(door, path):
    assert urllib3.request("GET", door + path).status == 404


def test_head_is_answered_and_what_would_change_something_is_refused(door):
    assert urllib3.request("HEAD", f"{door}/health/live").status == 200
    assert urllib3.request("POST", f"{door}/health/live").status == 501


def test_where_no_place_is_set_there_is_no_door(settings):
    settings.PROBE_BIND = None

    assert open_door() is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("127.0.0.1:9102", ("127.0.0.1", 9102)), ("*:9102", ("", 9102)), ("[::1]:9102", ("::1", 9102)), ("", None)],
)
def test_a_place_is_an_address_and_a_port(value, expected):
    assert bind({"PROBE_BIND": value}, "PROBE_BIND") == expected


@pytest.mark.parametrize("value", ["9102", ":9102", "127.0.0.1", "127.0.0.1:70000", "127.0.0.1:http"])
def test_what_is_no_place_is_refused_with_its_name_and_value(value):
    with pytest.raises(BadSetting, match=f"PROBE_BIND='{value}' cannot be used"):
        bind({"PROBE_BIND": value}, "PROBE_BIND")
