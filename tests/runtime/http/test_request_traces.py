"""A request is a span of the server's kind, called by its route; probes and those who wait leave none."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.urls import path

from contracts._base import Unavailable
from runtime.http.views import View
from runtime.identity import Anyone

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CANARY = "jane.canary@example.com"


class Away(View):
    permission_classes = [Anyone]

    def get(self, request):
        raise Unavailable(CANARY)


@pytest.fixture
def client(serve, recorded):
    return serve(
        path("things/<str:name>", lambda request, name: HttpResponse(name)),
        path("away", Away.as_view()),
        path("health/live", lambda request: HttpResponse()),
        path("internal/config", lambda request: HttpResponse()),
    )


def test_it_is_called_by_its_route_and_nothing_that_the_caller_wrote_is_in_it(client, recorded):
    answer = client.get(f"/things/{CANARY}?mail={CANARY}", headers={"traceparent": PARENT, "user-agent": CANARY})

    (span,) = recorded()
    assert (span.name, span.kind, span.parent_id) == ("GET /things/<str:name>", "server", PARENT[36:52])
    assert answer["traceparent"] == f"00-{span.trace_id}-{span.span_id}-01"
    assert span.attributes == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "http.route": "/things/<str:name>",
        "http.response.status_code": 200,
    }


def test_a_path_that_nobody_has_is_not_told(client, recorded):
    client.get(f"/{CANARY}")

    (span,) = recorded()
    assert (span.name, span.failed, span.attributes["http.response.status_code"]) == ("GET (none)", False, 404)
    assert CANARY not in repr(span)


def test_an_answer_of_the_500s_is_a_failure(client, recorded):
    client.get("/away")

    (span,) = recorded()
    assert (span.failed, span.attributes["error.type"]) == (True, "503")
    assert CANARY not in repr(span)


def test_probes_and_those_who_wait_for_news_leave_no_trace_and_get_theirs_back(client, recorded):
    answers = [client.get(address, headers={"traceparent": PARENT}) for address in ("/health/live", "/internal/config")]

    assert {answer["traceparent"].split("-")[1] for answer in answers} == {PARENT[3:35]}
    assert recorded() == []
