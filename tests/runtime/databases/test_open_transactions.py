"""Whether a transaction is open, in every way in which one can be; and the private places of Django behind it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.transaction import Atomic

from runtime.databases.transactions import _made_so_far, open_transactions, snapshot
from runtime.messaging.models import EventCounter

Sql = Callable[..., Any]


def touch(alias: str) -> None:
    EventCounter.objects.using(alias).count()


# --- With real commits -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("committed")
class TestWithoutAnythingAroundIt:
    def test_a_query_outside_of_any_leaves_none_open(self) -> None:
        touch("orders")

        assert open_transactions() == []

    def test_one_is_open_inside_atomic_and_closed_after_it(self) -> None:
        with transaction.atomic(using="orders"):
            assert open_transactions() == ["orders"]

        assert open_transactions() == []

    def test_one_is_open_before_its_first_query(self) -> None:
        with transaction.atomic(using="payments"):
            assert open_transactions() == ["payments"]

    def test_each_alias_is_named(self) -> None:
        with transaction.atomic(using="users"), transaction.atomic(using="orders"):
            assert set(open_transactions()) == {"users", "orders"}

    def test_a_nested_one_without_a_savepoint_counts_and_leaves_the_outer_one_open(self) -> None:
        with transaction.atomic(using="orders"):
            with transaction.atomic(using="orders", savepoint=False):
                assert open_transactions() == ["orders"]
            assert open_transactions() == ["orders"]

        assert open_transactions() == []

    def test_a_durable_one_counts(self) -> None:
        with transaction.atomic(using="orders", durable=True):
            assert open_transactions() == ["orders"]

        assert open_transactions() == []

    def test_one_counts_inside_a_snapshot(self) -> None:
        with snapshot("orders"):
            assert open_transactions() == ["orders"]

        assert open_transactions() == []

    def test_none_is_open_any_more_in_what_waited_for_the_commit(self) -> None:
        seen: list[list[str]] = []
        with transaction.atomic(using="orders"):
            transaction.on_commit(lambda: seen.append(open_transactions()), using="orders")
            assert seen == []

        assert seen == [[]]

    def test_none_is_open_after_an_exception(self) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic(using="orders"):
            raise ZeroDivisionError

        assert open_transactions() == []

    def test_one_that_the_database_has_aborted_is_still_open(self) -> None:
        with transaction.atomic(using="orders"):
            EventCounter.objects.using("orders").create(subject="a", last=1)
            with pytest.raises(IntegrityError):
                EventCounter.objects.using("orders").create(subject="a", last=1)
            assert open_transactions() == ["orders"]
            transaction.set_rollback(True, using="orders")

        assert open_transactions() == []

    def test_one_is_open_while_autocommit_is_off(self) -> None:
        transaction.set_autocommit(False, using="orders")
        try:
            touch("orders")
            assert open_transactions() == ["orders"]
        finally:
            transaction.rollback(using="orders")
            transaction.set_autocommit(True, using="orders")

        assert open_transactions() == []

    def test_an_alias_that_nobody_used_is_not_connected_by_asking(self) -> None:
        connections["users"].close()

        assert open_transactions() == []
        assert connections["users"].connection is None

    def test_another_threads_transaction_is_not_seen(self) -> None:
        seen: list[list[str]] = []

        def look() -> None:
            touch("orders")
            seen.append(open_transactions())
            connections.close_all()

        with transaction.atomic(using="orders"):
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()

        assert seen == [[]]


# --- Inside a test's own transaction ----------------------------------------------------------------------------------


@pytest.mark.django_db
class TestInsideATestsOwnTransaction:
    def test_the_tests_own_one_does_not_count(self) -> None:
        touch("orders")

        assert connections["orders"].in_atomic_block
        assert open_transactions() == []

    @pytest.mark.parametrize("savepoint", [True, False])
    def test_one_within_it_counts(self, savepoint: bool) -> None:
        with transaction.atomic(using="orders", savepoint=savepoint):
            assert open_transactions() == ["orders"]

        assert open_transactions() == []

    def test_a_durable_one_within_it_counts(self) -> None:
        with transaction.atomic(using="orders", durable=True):
            assert open_transactions() == ["orders"]

        assert open_transactions() == []

    def test_none_counts_after_an_exception(self) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic(using="orders"):
            raise ZeroDivisionError

        assert open_transactions() == []

    def test_what_waits_for_a_commit_never_runs(self) -> None:
        ran: list[bool] = []
        with transaction.atomic(using="orders"):
            transaction.on_commit(lambda: ran.append(True), using="orders")

        assert ran == []
        assert open_transactions() == []


# --- What of Django is private ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("committed")
def test_django_keeps_its_open_blocks_in_atomic_blocks() -> None:
    connection = connections["orders"]
    assert connection.atomic_blocks == []

    with transaction.atomic(using="orders") as _, transaction.atomic(using="orders"):
        blocks = list(connection.atomic_blocks)

    assert [type(block) for block in blocks] == [Atomic, Atomic]
    assert [block._from_testcase for block in blocks] == [False, False]
    assert connection.atomic_blocks == []


@pytest.mark.django_db
def test_django_marks_a_test_cases_own_block_with_from_testcase() -> None:
    assert [block._from_testcase for block in connections["orders"].atomic_blocks] == [True]


@pytest.mark.usefixtures("committed")
def test_postgresql_sees_a_transaction_where_we_do(sql: Sql, login: Callable[[str], Any]) -> None:
    state = "SELECT state FROM pg_stat_activity WHERE pid = %s"
    mine = sql("orders", "SELECT pg_backend_pid()")

    assert open_transactions() == []
    assert login("admin").ask(state, [mine]) == "idle"
    with transaction.atomic(using="orders"):
        touch("orders")
        assert open_transactions() == ["orders"]
        assert login("admin").ask(state, [mine]) == "idle in transaction"


@pytest.mark.usefixtures("committed")
class TestWhereDjangoKeepsAThreadsConnections:
    def test_those_made_so_far_are_all_that_django_knows_of(self) -> None:
        touch("orders")
        touch("users")

        assert list(_made_so_far()) != []
        assert {id(one) for one in _made_so_far()} == {id(one) for one in connections.all(initialized_only=True)}

    def test_another_threads_are_not_among_them(self) -> None:
        touch("orders")
        found: list[object] = []

        thread = threading.Thread(target=lambda: found.extend(_made_so_far()))
        thread.start()
        thread.join(20)

        assert found == []

    def test_in_an_event_loop_they_are_those_that_django_shows_there(self) -> None:
        async def look() -> tuple[set[int], set[int]]:
            assert connections["orders"] is not None
            return {id(one) for one in _made_so_far()}, {id(one) for one in connections.all(initialized_only=True)}

        ours, djangos = asyncio.run(look())

        assert ours == djangos
        assert len(ours) == 1
