"""What the inbox asks of PostgreSQL is read and planned once, by the event's id, on every connection there is."""

from __future__ import annotations

import pytest
from celery.signals import task_prerun
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext

from config import celery
from runtime.messaging import inbox, prepared
from runtime.messaging.prepared import Prepared
from tests.runtime.messaging.test_inbox import event, take_in

ALIAS = "inventory"


@pytest.fixture
def double() -> Prepared:
    return Prepared("twice_as_much", "SELECT %(number)s * 2", number="int")


def run(statement: Prepared, number: int) -> int:
    with connections[ALIAS].cursor() as cursor:
        statement.execute(cursor, {"number": number})
        return int(cursor.fetchone()[0])


def prepared_now() -> list[str]:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements")
        return [name for (name,) in cursor.fetchall()]


def test_a_statement_is_prepared_once_and_run_with_each_value(committed, double):
    with CaptureQueriesContext(connections[ALIAS]) as asked:
        assert [run(double, number) for number in (1, 2, 3)] == [2, 4, 6]

    assert [query["sql"].split(" ")[0] for query in asked] == ["PREPARE", "EXECUTE", "EXECUTE", "EXECUTE"]


def test_it_is_prepared_anew_on_a_new_connection(committed, double):
    run(double, 1)
    connections[ALIAS].close()

    assert prepared_now() == []
    assert run(double, 2) == 4
    assert prepared_now() == ["twice_as_much"]


def test_it_is_planned_anew_after_so_many_runs(committed, double, monkeypatch):
    monkeypatch.setattr(prepared, "PLANNED_FOR", 2)

    with CaptureQueriesContext(connections[ALIAS]) as asked:
        assert [run(double, number) for number in (1, 2, 3)] == [2, 4, 6]

    words = [query["sql"].split(" ")[0] for query in asked]
    assert words == ["PREPARE", "EXECUTE", "EXECUTE", "DEALLOCATE", "PREPARE", "EXECUTE"]


def test_an_event_and_what_waits_for_it_are_found_without_reading_all_that_are_open(world):
    envelope = event()
    inbox.note(envelope, consumer=ALIAS)
    claim = ["1 s", envelope.event_id, 0]
    place = inbox._place(envelope, consumer=ALIAS)

    with connections[ALIAS].cursor() as cursor:
        # As in a table that is long: a short one is read from end to end, and rightly.
        cursor.execute("SET enable_seqscan = off")
        plans = []
        for statement, told in ((inbox._BEGIN, place), (inbox._CLAIM, claim)):
            cursor.execute(f"EXPLAIN {statement}", told)
            plans.append("\n".join(line for (line,) in cursor.fetchall()))

    assert ["messaging_inboxmessage_pkey" in plan for plan in plans] == [True, True]
    assert ["inbox_due" in plan for plan in plans] == [False, False]


def test_one_look_a_second_at_the_databases_is_enough_for_all_tasks(world, monkeypatch):
    monkeypatch.setattr(celery, "_next_look", 0.0)
    monkeypatch.setattr(celery, "_LOOK_EVERY", 60.0)
    assert take_in(event())

    # Whether Django has asked the connection if it still answers, since it was last told to.
    asked = []
    for sequence in (2, 3):
        task_prerun.send(sender=None)
        asked.append(connections[ALIAS].health_check_done)
        assert take_in(event("b", sequence))

    assert asked == [False, True]


def test_a_connection_that_failed_is_replaced_before_the_next_task_looked_at_or_not(world, monkeypatch):
    monkeypatch.setattr(celery, "_next_look", float("inf"))
    with pytest.raises(OperationalError), connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    task_prerun.send(sender=None)

    assert take_in(event())
