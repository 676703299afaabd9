"""A span says what was done, below what led to it, and how it went; and nothing that somebody else has written."""

from __future__ import annotations

import os
import signal

import pytest
from django.db import IntegrityError, connections
from opentelemetry.trace import SpanKind

from contracts._base import Rejected, Unavailable
from runtime.telemetry import sending
from runtime.telemetry.spans import annotate, entering, span, spent
from runtime.telemetry.tracing import current_trace, current_traceparent

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CANARY = "jane.canary@example.com"


class SoldOut(Rejected):
    """Nothing is left."""

    code = "sold_out"


def test_what_is_done_for_a_caller_is_below_his_span_and_its_parts_below_itself(recorded):
    with entering("outer", traceparent=PARENT, kind=SpanKind.SERVER, attributes={"a": 1}):
        annotate({"b": "two"})
        with span("inner", kind=SpanKind.CLIENT):
            handed_on = current_traceparent()

    outer, inner = recorded()
    assert (outer.name, outer.kind, outer.parent_id, outer.attributes) == (
        "outer", "server", "00f067aa0ba902b7", {"a": 1, "b": "two"},
    )  # fmt: skip
    assert (inner.name, inner.kind, inner.parent_id) == ("inner", "client", outer.span_id)
    assert handed_on == f"00-{outer.trace_id}-{inner.span_id}-01"
    assert outer.began <= inner.began <= inner.ended <= outer.ended
    assert current_trace() is None


def test_of_a_trace_that_is_not_recorded_nothing_is_and_its_id_travels_on(recorded):
    with entering("outer", traceparent=f"{PARENT[:-2]}00"), span("inner"):
        handed_on = current_traceparent()
    spent("sent", traceparent=f"{PARENT[:-2]}00", since=0, kind=SpanKind.CLIENT, attributes={})

    assert recorded() == []
    assert handed_on is not None
    assert handed_on.startswith(PARENT[:36])
    assert handed_on.endswith("-00")


def test_outside_of_any_trace_a_part_is_none(recorded):
    with span("alone"):
        assert current_trace() is None

    assert recorded() == []


@pytest.mark.parametrize(("sample", "expected"), [(0.0, 0), (1.0, 50)])
def test_who_begins_a_trace_decides_once_whether_it_is_recorded(recorded, anew, sample, expected):
    anew(TRACES_SAMPLE=sample)
    for _ in range(50):
        with entering("outer", traceparent=None), span("inner"):
            pass

    assert len(recorded()) == 2 * expected


@pytest.mark.parametrize(
    ("error", "failed", "kind"),
    [
        (SoldOut(CANARY), False, "sold_out"),
        (Unavailable(CANARY), True, "unavailable"),
        (ValueError(CANARY), True, "ValueError"),
    ],
)
def test_an_error_is_told_by_its_kind_and_never_by_its_words(recorded, error, failed, kind):
    with pytest.raises(type(error)), entering("outer", traceparent=None):
        raise error

    (outer,) = recorded()
    assert (outer.failed, outer.attributes) == (failed, {"error.type": kind})


def test_what_was_done_for_many_traces_at_once_is_told_to_each(recorded):
    spent("sent", traceparent=PARENT, since=1_700_000_000_000_000_000, kind=SpanKind.CLIENT, attributes={"a": 1})
    spent("sent", traceparent=None, since=0, kind=SpanKind.CLIENT, attributes={})

    (sent,) = recorded()
    assert (sent.trace_id, sent.parent_id) == (PARENT[3:35], PARENT[36:52])
    assert sent.began == 1_700_000_000_000_000_000 < sent.ended


# --- Statements -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_statement_is_told_without_its_values(recorded):
    with entering("outer", traceparent=None), connections["users"].cursor() as cursor:
        cursor.execute("SELECT %s::text FROM users_user WHERE email = %s", [CANARY, CANARY])

    statement = recorded()[1]
    assert (statement.name, statement.kind, statement.failed) == ("SELECT users_user", "client", False)
    assert statement.attributes == {
        "db.system.name": "postgresql",
        "db.namespace": "users",
        "db.operation.name": "SELECT",
        "db.collection.name": "users_user",
        "db.query.summary": "SELECT users_user",
        "db.query.text": "SELECT %s::text FROM users_user WHERE email = %s",
    }


@pytest.mark.django_db
def test_a_statement_that_fails_names_the_error_and_not_the_row(recorded):
    with entering("outer", traceparent=None), connections["users"].cursor() as cursor:
        cursor.execute("INSERT INTO messaging_eventcounter (subject, last) VALUES (%s, 1)", [CANARY])
        with pytest.raises(IntegrityError, match=CANARY):
            cursor.execute("INSERT INTO messaging_eventcounter (subject, last) VALUES (%s, 1)", [CANARY])

    last = recorded()[-1]
    assert (last.name, last.failed, last.attributes["error.type"]) == (
        "INSERT messaging_eventcounter",
        True,
        "IntegrityError",
    )
    assert CANARY not in repr(recorded())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('SELECT "a"."b" FROM "orders_order" WHERE 1', "SELECT orders_order"),
        ("\n WITH c AS (INSERT INTO counter (a) VALUES (1)) SELECT 1", "INSERT counter"),
        ("WITH one AS (SELECT 1) SELECT 2 FROM one", "SELECT one"),
        ("UPDATE saga SET x = 1", "UPDATE saga"),
        ("EXECUTE inbox_begin (%s)", "EXECUTE inbox_begin"),
        ('SAVEPOINT "s139_x1"', "SAVEPOINT"),
        ("", "SQL"),
    ],
)
def test_a_statement_is_named_by_what_it_does_and_to_what(text, name):
    from runtime.telemetry.statements import _summary

    assert _summary(text)[2] == name


# --- Processes ------------------------------------------------------------------------------------------------------


def test_a_child_that_was_forked_sends_its_own_spans(recorded):
    with entering("before", traceparent=None):
        pass
    assert [each.name for each in recorded()] == ["before"]

    child = os.fork()
    if child == 0:
        signal.alarm(30)
        with entering("in the child", traceparent=None):
            pass
        sending.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

    assert [each.name for each in recorded()] == ["before", "in the child"]
