"""Inserts that may meet a row that is there already."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import DataError, IntegrityError, connections, transaction

from apps.orders.models import OrderKey
from apps.payments.models import Attempt, Payment, WebhookReceipt
from runtime.databases.rows import insert_once
from runtime.messaging.models import EventCounter


def counter(subject: str = "a", last: int = 1) -> EventCounter:
    return EventCounter(subject=subject, last=last)


def payment(**facts: Any) -> Payment:
    return Payment(
        **{
            "key": "k",
            "order_id": uuid4(),
            "amount": "1.00",
            "currency": "GBP",
            "method": "m",
            "provider": "p",
            **facts,
        }
    )


@pytest.mark.django_db
class TestInsertOnce:
    def test_a_new_row_is_inserted(self) -> None:
        assert insert_once(counter(), using="orders") is True

        assert EventCounter.objects.using("orders").get().last == 1

    def test_it_goes_to_the_database_that_was_named_and_to_no_other(self) -> None:
        insert_once(counter(), using="payments")

        rows = {alias: EventCounter.objects.using(alias).count() for alias in ("users", "orders", "payments")}
        assert rows == {"users": 0, "orders": 0, "payments": 1}

    def test_a_row_that_is_there_stays_as_it_is(self) -> None:
        insert_once(counter(last=1), using="orders")

        assert insert_once(counter(last=2), using="orders") is False
        assert EventCounter.objects.using("orders").get().last == 1

    def test_the_transaction_is_good_afterwards(self) -> None:
        with transaction.atomic(using="orders"):
            insert_once(counter(), using="orders")
            assert insert_once(counter(), using="orders") is False
            insert_once(counter("b"), using="orders")

        assert EventCounter.objects.using("orders").count() == 2

    def test_any_unique_key_counts_and_not_just_the_primary_one(self) -> None:
        insert_once(payment(key="k"), using="payments")

        assert insert_once(payment(key="k"), using="payments") is False
        assert insert_once(payment(key="other"), using="payments") is True

    def test_a_key_of_several_columns_counts_as_a_whole(self) -> None:
        def receipt(provider: str, event: str) -> bool:
            return insert_once(WebhookReceipt(provider=provider, event_id=event), using="payments")

        assert [receipt("p", "1"), receipt("p", "2"), receipt("q", "1"), receipt("p", "1")] == [True, True, True, False]

    def test_the_database_numbers_rows_and_fills_in_what_it_has_defaults_for(self) -> None:
        insert_once(OrderKey(principal=uuid4(), key="k", fingerprint="f", order_id=uuid4()), using="orders")
        insert_once(payment(), using="payments")

        assert OrderKey.objects.using("orders").get().pk is not None
        assert Payment.objects.using("payments").get().created_at is not None

    def test_another_broken_rule_is_not_passed_over(self) -> None:
        with pytest.raises(IntegrityError, match="not-null"), transaction.atomic(using="orders"):
            insert_once(EventCounter(subject="a", last=None), using="orders")
        with pytest.raises(DataError, match="too long"), transaction.atomic(using="payments"):
            insert_once(payment(currency="pounds"), using="payments")

        assert EventCounter.objects.using("orders").count() == 0
        assert Payment.objects.using("payments").count() == 0


@pytest.mark.usefixtures("committed")
def test_a_relation_that_leads_nowhere_is_not_passed_over() -> None:
    """Django checks relations when the transaction ends."""
    with pytest.raises(IntegrityError, match="foreign key"), transaction.atomic(using="payments"):
        insert_once(Attempt(payment_id=uuid4(), action="charge"), using="payments")

    assert Attempt.objects.using("payments").count() == 0


# --- Two at once ------------------------------------------------------------------------------------------------------


class Second:
    """Inserts the same key in another thread, and says what came of it."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.answers: list[bool] = []
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._began.wait(timeout=10)

    def _run(self) -> None:
        try:
            with connections["orders"].cursor() as cursor:
                cursor.execute("SET lock_timeout = '20s'; SELECT pg_backend_pid()")
                self.pid = cursor.fetchone()[0]
            self._began.set()
            self.answers.append(insert_once(counter(last=2), using="orders"))
        finally:
            connections.close_all()

    def waits(self, login: Callable[[str], Any]) -> bool:
        return bool(login("admin").ask("SELECT cardinality(pg_blocking_pids(%s)) > 0", [self.pid]))

    def end(self) -> list[bool]:
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()
        return self.answers


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("first_commits", [True, False])
def test_whoever_comes_second_waits_for_the_first_to_end(first_commits: bool, login: Any, until: Any) -> None:
    with transaction.atomic(using="orders"):
        assert insert_once(counter(last=1), using="orders") is True
        second = Second()
        until(lambda: second.waits(login))
        assert second.answers == []
        transaction.set_rollback(not first_commits, using="orders")

    assert second.end() == [not first_commits]
    assert EventCounter.objects.using("orders").get().last == (1 if first_commits else 2)
