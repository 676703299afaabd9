"""Transcripts are equal where two shops are, and differ in the place where they do."""

from __future__ import annotations

import json
import re

import pytest

from tests.topologies.appearances import Appearances
from tests.topologies.planted import first_difference, forgiven, leaks
from tests.topologies.transcript import Transcript, difference

ONE, OTHER = "01a20967-0491-7556-8803-49a0abc87876", "01a20967-0491-7556-8803-49a0abc87877"
WORN = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Content-Type": "application/json",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Request-Id": ONE,
    "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
}


def told(body: object = None, *, status: int = 200, method: str = "GET", **headers: str) -> str:
    transcript = Transcript()
    transcript.question("ada", method, "/api/orders", {}, None)
    given = {**WORN, **{name.replace("_", "-"): value for name, value in headers.items()}}
    transcript.answer(status, given, b"" if body is None else json.dumps(body).encode())
    return transcript.text


# --- What differs in every run --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        (f"{OTHER} {ONE} {OTHER}", "<id 1> <id 2> <id 1>"),
        ("2026-11-23T17:00:00.123456Z, 2026-11-23T17:00:00Z", "<time 1>Z, <time 2>Z"),
        (f"traceId {'0a' * 16}", "traceId <trace 1>"),
        (f"00-{'0a' * 16}-{'0b' * 8}-01", f"00-<trace 1>-{'0b' * 8}-01"),
        ("eyJh.eyJz.c2ln and eyJh.eyJz.c2lo", "<token 1> and <token 2>"),
        ("x" * 43, "<secret 1>"),
        ("?cursor=WyJv.x%3A1vNA%3Asig&limit=2", "?cursor=<cursor 1>&limit=2"),
        ("a word, 12.50 GBP, 2026-11-23", "a word, 12.50 GBP, 2026-11-23"),
    ],
)
def test_what_differs_in_every_run_is_its_order_of_appearance(text: str, replaced: str) -> None:
    assert Appearances().replace(text) == replaced


def test_a_place_in_a_list_is_one_cursor_whenever_it_was_made() -> None:
    appearances = Appearances()

    texts = [appearances.replace(f"cursor={place}%3A{when}%3Asig") for place, when in ("a1", "a2", "b2")]

    assert texts == ["cursor=<cursor 1>", "cursor=<cursor 1>", "cursor=<cursor 2>"]


# --- Answers --------------------------------------------------------------------------------------------------------


def test_two_answers_that_differ_in_ids_and_times_alone_are_equal() -> None:
    first = told({"id": ONE, "createdAt": "2026-11-23T17:00:00.1Z"}, Location=f"/api/orders/{ONE}")
    second = told({"id": OTHER, "createdAt": "2026-11-24T18:00:00.2Z"}, Location=f"/api/orders/{OTHER}")

    assert first == second
    assert "location: /api/orders/<id 1>" in first


@pytest.mark.parametrize(
    "other",
    [
        told({"id": ONE, "of": ONE}, status=201),
        told({"id": ONE, "of": OTHER}),
        told({"of": ONE, "id": ONE}),
        told({"id": ONE, "of": None}),
        told({"id": ONE, "of": ONE}, Cache_Control="public"),
        told({"id": ONE, "of": ONE}, Content_Type="application/problem+json"),
        told({"id": ONE, "of": ONE}, X_Request_Id="mine"),
        told({"id": ONE, "of": ONE}, traceparent="none"),
        told({"id": ONE, "of": ONE}, Retry_After="5"),
        told({"id": ONE, "of": ONE}, X_Powered_By="a framework"),
    ],
    ids=["status", "id", "order", "null", "worn", "type", "request", "trace", "retry", "new"],
)
def test_an_answer_that_differs_otherwise_is_another_one(other: str) -> None:
    one = told({"id": ONE, "of": ONE})

    assert difference(one, other, names=("one", "other")).startswith("--- one\n+++ other\n")


def test_a_header_that_every_answer_wears_is_missed_where_it_is_not() -> None:
    transcript = Transcript()
    transcript.question("ada", "GET", "/", {}, None)
    transcript.answer(204, {name: value for name, value in WORN.items() if name != "X-Frame-Options"}, b"")

    assert "  x-frame-options: (none)\n" in transcript.text


@pytest.mark.parametrize(
    ("method", "status", "shown"), [("GET", 200, False), ("OPTIONS", 204, True), ("PUT", 405, True)]
)
def test_allow_counts_where_it_is_due(method: str, status: int, shown: bool) -> None:
    assert ("allow: GET" in told(method=method, status=status, Allow="GET")) is shown


def test_seconds_that_are_left_do_not_count_and_requests_that_are_left_do() -> None:
    one = told(RateLimit='"anonymous";r=9;t=900', Retry_After="900")

    assert one == told(RateLimit='"anonymous";r=9;t=899', Retry_After="899")
    assert one != told(RateLimit='"anonymous";r=8;t=900', Retry_After="900")


def test_how_often_one_looked_again_does_not_count_and_what_came_of_it_does() -> None:
    asked, pending = {"action": "inquire", "outcome": "pending"}, {"action": "inquire", "outcome": "captured"}

    assert told({"attempts": [asked, asked, pending]}) == told({"attempts": [asked, pending]})
    assert told({"attempts": [asked, pending]}) != told({"attempts": [pending]})
    assert told({"detail": "do waiting, 3 tries"}) == told({"detail": "do waiting"})
    assert told({"detail": "do waiting"}) != told({"detail": "do succeeded"})


def test_a_timeline_is_compared_by_who_tells_and_in_the_order_of_each() -> None:
    created = {"at": "2026-11-23T17:00:00.1Z", "source": "orders", "kind": "event.OrderCreated"}
    held = {"at": "2026-11-23T17:00:00.2Z", "source": "inventory", "kind": "stock.reserve"}
    freed = {"at": "2026-11-23T17:00:00.3Z", "source": "inventory", "kind": "stock.release"}

    assert told({"items": [created, held, freed]}) == told({"items": [held, created, freed]})
    assert told({"items": [created, held, freed]}) != told({"items": [created, freed, held]})
    assert told({"items": [created, held, freed]}) != told({"items": [created, held]})


def test_a_long_answer_is_compared_after_its_ids_are_replaced() -> None:
    one, other = ({"items": [{"id": each}] * 1000} for each in (ONE, OTHER))

    assert told(one) == told(other)
    assert re.search(r"\(\d\d,\d{3} characters, SHA-256 [0-9a-f]{24}\)", told(one))
    assert told(one) != told({"items": [{"id": ONE}] * 999 + [{"id": OTHER}]})


# --- Leaks ----------------------------------------------------------------------------------------------------------

PRISTINE = "### A\n\nada: GET /a\n200\n  {}\n### At rest\nTrue\n### Guarantees\nexit 0\n"


def test_the_first_difference_is_told_with_its_scene_and_question() -> None:
    assert first_difference(PRISTINE, PRISTINE) == ""
    assert first_difference(PRISTINE, PRISTINE.replace("200", "500")) == "A: ada: GET /a: 200 became 500"


@pytest.mark.parametrize(("old", "new"), [("200", "500"), ("True", "False"), ("exit 0", "exit 1"), ("200\n", "")])
def test_what_is_answered_or_ends_otherwise_is_not_forgiven(old: str, new: str) -> None:
    assert forgiven(PRISTINE, PRISTINE.replace("  {}", "  []"))
    assert not forgiven(PRISTINE, PRISTINE.replace(old, new))


def test_each_leak_says_what_leaks_and_there_is_one_of_each_kind() -> None:
    assert {leak.patch.stem for leak in leaks()} == {
        "shared-object",
        "shared-module",
        "foreign-table",
        "call-inside",
        "handler-straight",
    }
