"""What every request meets on its way in, and every answer wears on its way out."""

from __future__ import annotations

import logging
import re
from uuid import UUID

import pytest
from django.http import HttpResponse
from django.urls import path
from prometheus_client import REGISTRY
from rest_framework.response import Response

from runtime.http.views import View
from runtime.identity import Anyone
from runtime.telemetry.tracing import current_request_id, current_trace, current_traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Thing(View):
    permission_classes = [Anyone]

    def get(self, request, name="", **kwargs):
        return Response({"requestId": current_request_id(), "traceparent": current_traceparent()})


@pytest.fixture
def client(serve):
    kept = HttpResponse("x", headers={"Cache-Control": "public, max-age=60"})
    return serve(
        path("thing", Thing.as_view()),
        path("thing/<str:name>", Thing.as_view()),
        path("kept", lambda request: kept),
        path("health", Thing.as_view()),
    )


def active() -> float:
    return REGISTRY.get_sample_value("http_server_active_requests") or 0.0


def test_requests_that_are_under_way_are_counted_and_not_when_they_are_over_however_they_end(serve):
    before, seen = active(), []

    def look(request, *, fails=False):
        seen.append(active())
        if fails:
            raise ZeroDivisionError
        return HttpResponse()

    client = serve(path("well", look), path("badly", look, {"fails": True}))
    client.raise_request_exception = False
    answers = [client.get("/well").status_code, client.get("/badly").status_code]

    assert (answers, seen, active()) == ([200, 500], [before + 1, before + 1], before)


# --- Ids ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["a", "req-1", "x" * 128, "a/b:c=d~!", "01HZY"])
def test_a_sane_request_id_is_kept_and_returned(client, given):
    answer = client.get("/thing", headers={"x-request-id": given})

    assert answer["X-Request-Id"] == given
    assert answer.json()["requestId"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 129, "é", "a\tb", "\x7f"])
def test_another_is_replaced_by_one_of_ours(client, given):
    answer = client.get("/thing", headers={"x-request-id": given})

    assert UUID(answer["X-Request-Id"]).version == 7


def test_errors_have_an_id_too(client):
    assert client.get("/nowhere", headers={"x-request-id": "req-1"})["X-Request-Id"] == "req-1"
    assert client.generic("TRACE", "/thing", headers={"x-request-id": "req-1"})["X-Request-Id"] == "req-1"


def test_a_trace_is_continued_with_a_span_of_our_own(client):
    answer = client.get("/thing", headers={"traceparent": PARENT})

    version, trace, span, flags = answer["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert re.fullmatch("[0-9a-f]{16}", span)
    assert span != "00f067aa0ba902b7"
    assert answer.json()["traceparent"] == answer["traceparent"]


def test_a_trace_that_is_not_recorded_stays_so(client):
    assert client.get("/thing", headers={"traceparent": PARENT[:-2] + "00"})["traceparent"].endswith("-00")


def test_a_later_version_may_say_more(client):
    answer = client.get("/thing", headers={"traceparent": f"cc-{PARENT[3:]}-what-the-future-will-be-like"})

    assert answer["traceparent"].split("-")[1] == TRACE


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        PARENT.upper(),
        f"ff-{PARENT[3:]}",
        f"{PARENT}-more",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-00f067aa0ba902b7",
        f"00-{TRACE[:-1]}-00f067aa0ba902b7-01",
        f"{PARENT},{PARENT}",
        "00-٤bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ],
)
def test_a_trace_that_cannot_be_read_is_replaced(client, given):
    answer = client.get("/thing", headers={"traceparent": given})

    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", answer["traceparent"])
    assert answer["traceparent"].split("-")[1] not in {TRACE, "0" * 32}


def test_nothing_of_a_request_is_left_when_it_is_over(client):
    client.get("/thing", headers={"traceparent": PARENT})

    assert current_trace() is None
    assert current_request_id() is None


# --- The line in the log --------------------------------------------------------------------------------------------


def access_lines(caplog) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "runtime.http.access"]


def test_a_request_leaves_one_line_with_the_route_and_never_the_address(client, caplog, signed_in):
    caplog.set_level(logging.INFO)
    client.get("/thing/secret-name?token=secret", headers=signed_in("customer", user_id=UUID(int=7)))

    (line,) = access_lines(caplog)
    assert (line.method, line.route, line.status, line.principal) == ("GET", "/thing/<str:name>", 200, str(UUID(int=7)))
    assert line.ms >= 0
    assert "secret" not in str(vars(line))


def test_an_address_that_is_not_there_leaves_a_line_without_it(client, caplog):
    caplog.set_level(logging.INFO)
    client.get("/ada@example.com")

    (line,) = access_lines(caplog)
    assert (line.route, line.status) == ("(none)", 404)


# --- The guard ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "/thing?a=%00",
        "/thing?%00=a",
        "/thing?a=%ED%A0%80",
        "/thing?a=%FF",
        "/thing?a=x%00y&b=1",
        "/thing/a%00b",
        "/%00",
    ],
)
def test_an_address_with_what_no_column_holds_is_a_400(client, address):
    answer = client.get(address)

    assert (answer.status_code, answer.json()["code"]) == (400, "unusable_text")


@pytest.mark.parametrize("address", ["/thing/%FF", "/thing/%ED%A0%80", "/thing/..%2f..%2fetc", "/thing/%E2%80%AE"])
def test_an_odd_path_is_never_a_fault_of_ours(client, address):
    assert client.get(address).status_code in {200, 400, 404}


@pytest.mark.parametrize("query", ["a=%C3%A9", "a=+%2B", "a=%F0%9F%98%80", "%", "a=%zz", "&&&", "=", "a=%2500"])
def test_any_other_query_comes_through(client, query):
    assert client.get(f"/thing?{query}").status_code == 200


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PURGE", "GET/", "get"])
def test_a_method_that_is_not_ours_is_a_405(client, method):
    answer = client.generic(method, "/thing")

    assert answer.status_code in ({405, 200} if method == "get" else {405})
    if answer.status_code == 405:
        assert answer.json()["code"] == "method_not_allowed"
        assert "GET" in answer["Allow"]


def test_no_view_of_any_kind_is_traced(client):
    assert client.get("/kept").status_code == 200
    assert client.generic("TRACE", "/kept").status_code == 405


@pytest.mark.parametrize("header", ["x-http-method-override", "x-method-override", "x-http-method"])
def test_no_header_overrides_the_method(client, header):
    assert client.post("/thing", {}, headers={header: "GET"}).status_code == 405


def test_options_say_what_is_allowed(client):
    answer = client.options("/thing")

    assert answer.status_code == 204
    assert {word.strip() for word in answer["Allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "x", "", "*/*;q=0", "application/problem+json"])
def test_answers_are_json_whatever_is_accepted(client, accept):
    answer = client.get("/thing", headers={"accept": accept})

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("address", ["/thing?format=xml", "/thing?format=json", "/thing?_method=DELETE"])
def test_no_parameter_changes_the_form_of_an_answer(client, address):
    assert client.get(address)["Content-Type"] == "application/json"


@pytest.mark.parametrize("address", ["/thing", "/nowhere"])
def test_every_answer_wears_its_protection(client, address):
    answer = client.get(address)

    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer["Cache-Control"] == "no-store"
    assert "Server" not in answer
    assert "Set-Cookie" not in answer


@pytest.mark.parametrize(("method", "length"), [("get", None), ("options", 0)])
def test_every_answer_says_how_long_it_is(client, method, length):
    answer = getattr(client, method)("/thing")

    assert int(answer["Content-Length"]) == (len(answer.content) if length is None else length)


def test_head_has_the_headers_of_get_and_no_body(client):
    got, asked = client.get("/thing"), client.head("/thing")

    assert asked.status_code == 200
    assert asked["Content-Length"] == got["Content-Length"]
    assert asked.content == b""


def test_an_answer_that_may_be_kept_says_so_itself(client):
    assert client.get("/kept")["Cache-Control"] == "public, max-age=60"


def test_another_host_is_a_400_but_for_a_probe_and_who_reads_figures(client, settings):
    settings.ALLOWED_HOSTS = ["shop.example"]

    assert client.get("/thing", headers={"host": "shop.example"}).status_code == 200
    assert client.get("/thing", headers={"host": "evil.example"}).json()["code"] == "unknown_host"
    assert client.get("/thing", headers={"host": "a b\x00"}).json()["code"] == "unknown_host"
    assert client.get("/health", headers={"host": "10.1.2.3:8000"}).status_code == 200
    # There is none on this port, and that is all that is wrong with it.
    assert client.get("/metrics", headers={"host": "10.1.2.3:8001"}).json()["code"] == "not_found"
    assert client.get("/metrics/all", headers={"host": "10.1.2.3:8001"}).json()["code"] == "unknown_host"
