"""A service may ask for what the contract names, with the arguments that it names; no input is a 5xx."""

from __future__ import annotations

from uuid import UUID

import pytest

from runtime.identity import service_tokens
from tests.runtime.calls.asking import JSON, ask, refused
from tests.runtime.calls.depot import KEPT

pytestmark = pytest.mark.usefixtures("inside")


def test_a_call_is_answered_so_that_the_refusals_below_mean_something():
    status, value, response = ask()

    assert (status, value, response["Content-Type"]) == (200, 4, JSON)
    assert response["Cache-Control"] == "no-store"


# --- What -----------------------------------------------------------------------------------------------------------


def test_a_domain_that_is_not_hosted_here_is_misdirected():
    for domain in ("shed", "depot%00", "..", "DEPOT"):
        answer = ask(f"{domain}/count", token=service_tokens.issue(audience=domain))
        assert answer[0] in (400, 404, 421)
        assert answer[0] == 421 or domain not in ("shed", "DEPOT")


@pytest.mark.parametrize("name", ["_private", "__init__", "not_in_the_contract", "given", "Count", "count "])
def test_only_the_contracts_methods_are_there(name):
    assert refused(ask(f"depot/{name}")) == (404, "unknown_method")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_only_a_post_is_a_call(method):
    before = KEPT.times(deed="count")
    response = ask(method=method)[2]

    assert response.status_code == 405
    assert KEPT.times(deed="count") == before


# --- With what ------------------------------------------------------------------------------------------------------

MALFORMED = {
    "not JSON": (b"{", 400, "malformed_json"),
    "nothing": (b" ", 400, "malformed_json"),
    "not UTF-8": (b'{"shelf": "\xff"}', 400, "not_utf8"),
    "a list": (b"[]", 400, "not_an_object"),
    "null": (b"null", 400, "not_an_object"),
    "NaN": (b'{"shelf": NaN}', 400, "malformed_json"),
    "a name twice": (b'{"shelf": "a", "shelf": "b"}', 400, "malformed_json"),
    "NUL": (b'{"shelf": "\\u0000"}', 400, "unusable_text"),
    "half a pair": (b'{"shelf": "\\ud800"}', 400, "unusable_text"),
    "deep": (b'{"shelf": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "too_deep"),
    "large": (b'{"shelf": "' + b"x" * 2_100_000 + b'"}', 413, "body_too_large"),
    "a number too long": (b'{"shelf": "a", "floor": ' + b"9" * 5000 + b"}", 400, "malformed_json"),
    "unknown": (b'{"shelf": "a", "ceiling": 1}', 400, "unknown_argument"),
    "missing": (b'{"floor": 1}', 400, "missing_argument"),
    "another type": (b'{"shelf": 5}', 400, "invalid_argument"),
    "null for a number": (b'{"shelf": "a", "floor": null}', 400, "invalid_argument"),
    "a fraction": (b'{"shelf": "a", "floor": 1.5}', 400, "invalid_argument"),
    "self": (b'{"shelf": "a", "self": 1}', 400, "unknown_argument"),
}


@pytest.mark.parametrize(("body", "status", "code"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_arguments_are_refused_and_nothing_runs(body, status, code):
    before = KEPT.times(deed="count")

    assert refused(ask(body=body)) == (status, code)
    assert KEPT.times(deed="count") == before


def test_a_newer_callers_argument_is_refused_with_a_sentence_that_names_it():
    _, problem, _ = ask(body={"shelf": "a", "ceiling": 1})

    assert problem["detail"] == "ceiling: count has no parameter of this name here."
    assert problem["errors"] == [
        {"pointer": "/ceiling", "code": "unknown_argument", "detail": "count has no parameter of this name here."}
    ]


def test_a_value_that_its_class_refuses_is_a_400():
    box = {
        "id": str(UUID(int=1)),
        "price": {"amount": "1.00", "currency": "pounds"},
        "packedAt": "2026-11-23T12:00:00Z",
    }

    assert refused(ask("depot/pack", {"box": box, "labels": []})) == (400, "invalid_argument")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_a_415(content_type):
    assert refused(ask(content_type=content_type)) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        *[("Call_Deadline", value, "bad_deadline") for value in ("", "-1", "1.5", "soon", "9" * 20, "١٢", "1s")],
        *[
            ("Call_Lease", value, "bad_lease")
            for value in ("", "x", str(UUID(int=1)), f"{UUID(int=1)};", f"{UUID(int=1)};-1", f"{UUID(int=1)};1;2", ";1")
        ],
    ],
)
def test_headers_that_cannot_be_read_are_refused_and_nothing_runs(header, value, code):
    before = KEPT.times(deed="count")

    assert refused(ask(**{header: value})) == (400, code)
    assert KEPT.times(deed="count") == before


def test_a_call_that_comes_too_late_does_not_run():
    before = KEPT.times(deed="count")

    status, problem, _ = ask(Call_Deadline="0")

    assert (status, problem["code"], problem["mayHaveRun"]) == (504, "deadline_exceeded", False)
    assert KEPT.times(deed="count") == before


# --- What comes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "status", "kinds", "ran"),
    [
        ("full", 409, ["shelf_full", "rejected"], False),
        ("bent", 409, ["shelf_bent", "shelf_full", "rejected"], False),
        ("unavailable", 503, ["unavailable"], True),
        ("late", 504, ["deadline_exceeded", "unavailable"], False),
        ("superseded", 410, ["superseded"], False),
    ],
)
def test_a_contracts_error_is_a_problem_with_its_kinds_the_nearest_first(deed, status, kinds, ran):
    found, problem, _ = ask("depot/act", {"deed": deed})

    assert (found, problem["status"], problem["kinds"], problem["mayHaveRun"]) == (status, status, kinds, ran)
    assert problem["code"] == kinds[0]


def test_a_bug_is_a_500_that_names_its_kind_and_keeps_its_words_for_the_log(caplog):
    answer = ask("depot/act", {"deed": "bug"})

    assert refused(answer) == (500, "internal_error")
    assert answer[1]["detail"] == "ZeroDivisionError; its log says more."
    assert b"a secret" not in answer[2].content
    assert "a secret" in caplog.text
