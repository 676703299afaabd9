"""The one clock that leases, deadlines and events go by, and how a test makes time pass."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from runtime.databases.clock import Now, database_time
from runtime.messaging.models import EventCounter, InboxMessage

DOMAINS = ("users", "inventory", "payments", "orders")
DAY = timedelta(days=1)
A_WHILE = timedelta(seconds=30)

Sql = Callable[..., Any]


def shift(alias: str, by: str) -> None:
    """For the rest of the transaction."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT set_config('mitosis.clock_shift', %s, true)", [by])


@pytest.mark.django_db
@pytest.mark.parametrize("domain", DOMAINS)
def test_the_clock_is_the_servers_where_nobody_shifts_it(domain: str, sql: Sql) -> None:
    assert sql(domain, "SELECT clock_now() - clock_timestamp() BETWEEN interval '-1 s' AND interval '0 s'") is True
    assert abs(database_time(domain) - datetime.now(UTC)) < A_WHILE


@pytest.mark.django_db
def test_a_time_has_its_zone() -> None:
    assert database_time("orders").utcoffset() == timedelta(0)


@pytest.mark.django_db
@pytest.mark.parametrize(("by", "expected"), [("1 day", DAY), ("-1 day", -DAY), ("90 minutes", timedelta(minutes=90))])
def test_the_clock_follows_a_shift(by: str, expected: timedelta) -> None:
    before = database_time("orders")

    shift("orders", by)

    assert expected <= database_time("orders") - before < expected + A_WHILE


@pytest.mark.django_db
def test_time_goes_on_inside_a_transaction() -> None:
    """now() of PostgreSQL stands still there: a lease taken late in a transaction would be too short."""
    first, second = database_time("orders"), database_time("orders")

    assert first < second


def test_a_shift_ends_with_its_transaction(committed: None) -> None:
    with transaction.atomic(using="orders"):
        shift("orders", "1 day")
        assert database_time("orders") - datetime.now(UTC) > DAY / 2

    # The setting is now there and empty, which is not the same as never having been there.
    assert abs(database_time("orders") - datetime.now(UTC)) < A_WHILE


@pytest.mark.django_db
def test_a_shift_that_is_no_interval_is_an_error_and_not_a_time(sql: Sql) -> None:
    shift("orders", "yesterday-ish")

    with pytest.raises(Exception, match="invalid input syntax for type interval"):
        sql("orders", "SELECT clock_now()")


@pytest.mark.django_db
def test_the_clocks_of_two_domains_are_shifted_apart() -> None:
    shift("orders", "1 day")

    assert database_time("orders") - database_time("payments") > DAY / 2


@pytest.mark.django_db
def test_a_default_a_filter_and_an_update_go_by_the_same_clock() -> None:
    shift("orders", "1 day")
    row = {"event_type": "X", "source": "payments", "subject": "s", "sequence": 1, "envelope": {}}
    inbox = InboxMessage.objects.using("orders")
    inbox.create(event_id="01890000-0000-7000-8000-000000000000", **row)

    received = inbox.get()
    assert received.received_at - datetime.now(UTC) > DAY / 2
    assert inbox.filter(received_at__lte=Now()).count() == 1
    assert inbox.filter(received_at__lte=Now() - timedelta(hours=1)).count() == 0
    assert inbox.filter(received_at__gt=Now() - timedelta(hours=1)).update(due_at=Now() + timedelta(hours=2)) == 1
    assert timedelta(hours=1) < inbox.get().due_at - received.received_at < timedelta(hours=3)


@pytest.mark.django_db
def test_asking_what_time_it_is_writes_nothing() -> None:
    database_time("orders")

    assert EventCounter.objects.using("orders").count() == 0
