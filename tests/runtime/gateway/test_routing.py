"""Where a request goes, what goes along with it, and what is answered at the door."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.runtime.gateway.doors import raw
from tests.together import wait_until


def headers_of(request: dict, *names: str) -> dict[str, list[str]]:
    return {name: [value for given, value in request["headers"] if given == name] for name in names}


# --- Where it goes ---------------------------------------------------------------------------------------------------


def test_a_request_goes_to_the_group_that_hosts_its_domain_and_to_no_other(door, people, parcels):
    assert door.send("GET", "/api/people/7?a=b%20c").status == 200
    assert door.send("POST", "/api/parcels", body=b"{}").status == 200
    assert door.send("GET", "/admin/parcels/").status == 200
    assert door.send("GET", "/admin/").status == 200

    assert [(one["method"], one["path"]) for one in people.arrived] == [
        ("GET", "/api/people/7?a=b%20c"),
        ("GET", "/admin/"),
    ]
    assert [(one["method"], one["path"], one["body"]) for one in parcels.arrived] == [
        ("POST", "/api/parcels", "{}"),
        ("GET", "/admin/parcels/", ""),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/internal/contracts/people/find",
        "/metrics",
        "/INTERNAL/contracts",
        "/%69nternal/contracts",
        "/internal%2fcontracts",
        "//internal/contracts",
        "/api//people",
        "/api/people/../../internal/contracts",
        "/api/people/%2e%2e/%2e%2e/internal",
        "/api/people/..%2f..%2finternal",
        "/api/people/%252e%252e/internal",
        "/api/people/..;/internal",
        "/api/people/./metrics",
        "/api/people\\..\\internal",
        "/api/people/%5c..%5cinternal",
        "/api/people/%zz",
        "/api/people/.",
        "/api/people/..",
        "/api/peopleandmore",
        "/api",
        "/Api/people",
    ],
)
def test_what_is_inside_and_what_could_be_read_in_two_ways_leads_nowhere(door, people, parcels, path):
    answer = door.send("GET", path)

    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert answer["Content-Type"] == "application/problem+json"
    assert people.arrived == parcels.arrived == []


@pytest.mark.parametrize("path", ["/api/people/%00", "/internal%00/api/people"])
def test_a_nul_in_the_path_is_refused_as_the_processes_refuse_it(door, people, path):
    answer = door.send("GET", path)

    assert (answer.status, answer.json["code"]) == (400, "unusable_text")
    assert people.arrived == []


@pytest.mark.parametrize("path", [b"/internal/contracts", b"/metrics"])
def test_a_whole_address_in_the_first_line_leads_no_further(door, people, path):
    for host, status in ((b"localhost", b"404"), (b"elsewhere", b"400")):
        target = b"http://" + host + path
        answer = raw(door.port, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 " + status + b" ")
    assert people.arrived == []


def test_a_letter_that_need_not_be_escaped_may_be(door, people):
    assert door.send("GET", "/%61pi/people/caf%C3%A9").status == 200
    assert people.only()["path"] == "/%61pi/people/caf%C3%A9"


def test_trace_and_connect_are_not_answered(door, people):
    answer = door.send("TRACE", "/api/people")
    tunnel = raw(door.port, b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\nConnection: close\r\n\r\n")

    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
    assert answer.json["detail"] == "TRACE is not answered here."
    assert answer["Allow"] == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    assert tunnel.startswith(b"HTTP/1.1 405 ")
    assert people.arrived == []


# --- What goes along --------------------------------------------------------------------------------------------------

FORGED = (
    "X-User-Id",
    "x-user-id",
    "X-USER-ROLES",
    "X_User_Id",
    "X-User_Id",
    "x_user_id",
    "X.User.Id",
    "Call-User",
    "call-deadline",
    "Call-Lease",
    "Call_User",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X_Forwarded_For",
    "X-Real-Ip",
    "X-Original-Url",
    "X-Rewrite-Url",
    "Proxy",
)


def test_nobody_tells_from_outside_who_he_is_or_where_he_comes_from(door, people):
    door.send("GET", "/api/people", [(name, "forged") for name in FORGED] + [("Prefer", "respond-async")])

    request = people.only()
    assert "forged" not in json.dumps(request)
    assert headers_of(request, "x-forwarded-for", "prefer", "x-forwarded-proto", "x-user-id") == {
        "x-forwarded-for": ["127.0.0.1"],
        "prefer": ["respond-async"],
        "x-forwarded-proto": [],
        "x-user-id": [],
    }


def test_a_request_id_is_kept_where_it_is_sane_and_a_trace_goes_on(door, people):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = door.send("GET", "/api/people", [("X-Request-Id", "mine-1"), ("traceparent", parent)])

    assert headers_of(people.only(), "x-request-id", "traceparent") == {
        "x-request-id": ["mine-1"],
        "traceparent": [parent],
    }
    assert (answer["X-Request-Id"], answer["traceparent"]) == ("mine-1", parent)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "caf\xe9"])
def test_a_request_without_a_sane_id_gets_one(door, people, given):
    answer = door.send("GET", "/api/people", [("X-Request-Id", given), ("traceparent", f"00-{'0' * 32}-{'1' * 16}-01")])

    found = headers_of(people.only(), "x-request-id", "traceparent")
    assert found["x-request-id"] == [answer["X-Request-Id"]]
    assert re.fullmatch(r"[0-9a-f-]{36}", str(answer["X-Request-Id"]))
    assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01", found["traceparent"][0])


def test_what_the_door_answers_wears_what_every_answer_wears(door):
    answer = door.send("GET", "/nowhere", [("X-Request-Id", "mine-2")])

    assert answer["X-Request-Id"] == "mine-2"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", str(answer["traceparent"]))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer["Cache-Control"] == "no-store"
    assert answer.json == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing here.",
        "instance": "/nowhere",
        "code": "not_found",
    }


def test_an_address_cannot_write_into_the_answer_or_the_log(door):
    answer = door.send("GET", '/nowhere/"},{"code":"forged%0a?secret=1')

    assert answer.json["instance"] == '/nowhere/"},{"code":"forged%0a'
    wait_until(lambda: door.log and door.log[-1]["path"] == '/nowhere/"},{"code":"forged%0a')


# --- The log ----------------------------------------------------------------------------------------------------------


def test_each_request_is_one_line_of_json_without_its_query(door):
    answer = door.send("GET", "/api/parcels/7?email=ada@shop.example", [("X-Request-Id", "line-1")])
    wait_until(lambda: any(line["request_id"] == "line-1" for line in door.log))
    (line,) = (line for line in door.log if line["request_id"] == "line-1")

    said = {name: line[name] for name in ("level", "method", "path", "status", "group", "client", "principal")}
    assert said == {
        "level": "info",
        "method": "GET",
        "path": "/api/parcels/7",
        "status": 200,
        "group": "parcels",
        "client": "127.0.0.1",
        "principal": "-",
    }
    assert line["trace_id"] == str(answer["traceparent"]).split("-")[1]
    assert 0 <= line["phases"]["answer"] <= line["ms"] < 10_000
    assert datetime.now(UTC) - datetime.fromisoformat(line["timestamp"]) < timedelta(minutes=1)
    assert "ada@shop.example" not in door.log_file.read_text()


# --- Health -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_it_is_ready_while_each_group_has_a_server_that_is(door, parcels, path):
    door.await_ready()
    assert door.send("GET", path).json["checks"] == {
        "people+things": {"status": "healthy", "duration": "0ms"},
        "parcels": {"status": "healthy", "duration": "0ms"},
    }
    parcels.is_ready(False)
    wait_until(lambda: door.send("GET", path).status == 503)

    away = door.send("GET", path).json
    assert away["status"] == "unhealthy"
    assert away["checks"]["people+things"] == {"status": "healthy", "duration": "0ms"}
    assert away["checks"]["parcels"] == {"status": "unhealthy", "duration": "0ms", "error": "No process is ready."}

    parcels.is_ready(True)
    wait_until(lambda: door.send("GET", path).status == 200)


def test_what_is_not_ready_takes_no_traffic_and_its_neighbours_do(door, people, parcels):
    door.await_ready()
    parcels.is_ready(False)
    wait_until(lambda: door.send("GET", "/health/ready").status == 503)

    answer = door.send("GET", "/api/parcels/7")
    assert (answer.status, answer.json["code"], answer["Retry-After"]) == (503, "parcels_unavailable", "5")
    assert answer["Content-Type"] == "application/problem+json"
    assert door.send("GET", "/api/people/7").status == 200
    assert (len(people.arrived), parcels.arrived) == (1, [])

    parcels.is_ready(True)
    wait_until(lambda: door.send("GET", "/api/parcels/7").status == 200)


def test_live_asks_nobody(door, people, parcels):
    answer = door.send("GET", "/health/live")

    assert (answer.status, answer.json["status"], answer.json["checks"]) == (200, "healthy", {})
    assert datetime.fromisoformat(answer.json["timestamp"]).tzinfo == UTC
    assert people.arrived == parcels.arrived == []


def test_health_is_only_read(door):
    door.await_ready()
    head, post = door.send("HEAD", "/health/ready"), door.send("POST", "/health/live", body=b"")

    assert (head.status, head.data) == (200, b"")
    assert (post.status, post.json["code"], post["Allow"]) == (405, "method_not_allowed", "GET, HEAD")
