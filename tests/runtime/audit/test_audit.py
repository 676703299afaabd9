"""What was done stays written: once for its key, by the database's clock, and unchangeable for whoever runs."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import ProgrammingError, connections, transaction

from runtime.audit.models import AuditEntry
from runtime.audit.store import Deed, write
from runtime.databases.clock import database_time
from runtime.telemetry.tracing import continue_or_start, working_on
from tests.together import shift_clock

DOMAINS = ("users", "inventory", "payments", "orders")
DEED = Deed(
    action="orders.ship",
    object_type="order",
    object_id="1",
    reason="It was paid.",
    before={"status": "confirmed"},
    after={"status": "shipped"},
)


@pytest.mark.django_db
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_deed_is_written_down_where_it_was_done(domain: str) -> None:
    operator, key = uuid4(), uuid4()

    with working_on(trace=continue_or_start(None), request_id="a request"):
        assert write(DEED, operator=operator, key=key, using=domain)

    (row,) = AuditEntry.objects.using(domain).values()
    assert isinstance(row.pop("id"), UUID)
    assert row.pop("at") <= database_time(domain)
    assert row == {
        "operator": operator,
        "action": "orders.ship",
        "object_type": "order",
        "object_id": "1",
        "reason": "It was paid.",
        "before": {"status": "confirmed"},
        "after": {"status": "shipped"},
        "key": key,
        "request_id": "a request",
    }


@pytest.mark.django_db
def test_what_was_done_once_is_written_down_once() -> None:
    key = uuid4()

    assert write(DEED, operator=uuid4(), key=key, using="orders") is True
    assert write(DEED, operator=uuid4(), key=key, using="orders") is False

    assert AuditEntry.objects.using("orders").count() == 1


@pytest.mark.django_db
def test_a_row_goes_with_the_transaction_it_was_written_in() -> None:
    with transaction.atomic(using="orders"):
        write(DEED, operator=uuid4(), key=uuid4(), using="orders")
        transaction.set_rollback(True, using="orders")

    assert AuditEntry.objects.using("orders").count() == 0


@pytest.mark.usefixtures("committed")
def test_the_time_is_the_databases() -> None:
    before = database_time("orders")
    shift_clock("orders", "3 days")

    write(DEED, operator=uuid4(), key=uuid4(), using="orders")

    assert AuditEntry.objects.using("orders").get().at - before >= timedelta(days=3)


@pytest.mark.django_db
@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditentry SET reason = 'another'",
        "DELETE FROM audit_auditentry",
        "TRUNCATE audit_auditentry",
        "SELECT 1 FROM audit_auditentry FOR UPDATE",
    ],
)
def test_whoever_runs_cannot_change_what_was_written(domain: str, statement: str) -> None:
    write(DEED, operator=uuid4(), key=uuid4(), using=domain)

    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(using=domain),
        connections[domain].cursor() as cursor,
    ):
        cursor.execute(statement)

    assert AuditEntry.objects.using(domain).get().reason == "It was paid."
