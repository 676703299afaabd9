"""Work is done again where PostgreSQL says that it left no trace, and only there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connections, transaction
from django.db.models import F
from django.db.utils import InterfaceError

from runtime.databases.transactions import is_outage, open_transactions, retrying
from runtime.messaging.models import EventCounter

pytestmark = pytest.mark.usefixtures("committed")

Sql = Callable[..., Any]


def counters() -> Any:
    return EventCounter.objects.using("orders")


def last(subject: str) -> int:
    return counters().get(subject=subject).last


def add_one(subject: str) -> None:
    counters().filter(subject=subject).update(last=F("last") + 1)


@pytest.fixture(autouse=True)
def two_rows(committed: None) -> None:
    counters().bulk_create([EventCounter(subject="a", last=0), EventCounter(subject="b", last=0)])


@pytest.fixture
def elsewhere() -> Callable[[Callable[[], object]], None]:
    """Runs something to its end in another thread, with connections of its own."""

    def run(work: Callable[[], object]) -> None:
        failures: list[BaseException] = []

        def body() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)
            finally:
                connections.close_all()

        thread = threading.Thread(target=body)
        thread.start()
        thread.join(timeout=30)
        assert not thread.is_alive()
        if failures:
            raise failures[0]

    return run


def test_work_that_succeeds_runs_once_and_is_committed(sql: Sql) -> None:
    runs: list[list[str]] = []

    def work() -> str:
        runs.append(open_transactions())
        add_one("a")
        return "done"

    assert retrying(work, using="orders") == "done"
    assert runs == [["orders"]]
    assert open_transactions() == []
    connections["orders"].close()
    assert last("a") == 1


def test_two_that_lock_in_opposite_order_both_end_well() -> None:
    """A real deadlock: PostgreSQL ends one of the two, which runs again, and may meet the other anew."""
    both_hold_one = threading.Barrier(2, timeout=20)
    runs: dict[str, int] = {"ab": 0, "ba": 0}
    failures: list[BaseException] = []

    def go(order: str) -> None:
        def work() -> None:
            runs[order] += 1
            with connections["orders"].cursor() as cursor:
                # PostgreSQL looks for deadlocks after a second. On a slow machine the role's two seconds are too close.
                cursor.execute("SET LOCAL lock_timeout = '20s'")
            add_one(order[0])
            if runs[order] == 1:
                both_hold_one.wait()
            add_one(order[1])

        try:
            retrying(work, using="orders")
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go, args=(order,)) for order in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert failures == []
    assert max(runs.values()) > 1
    assert (last("a"), last("b")) == (2, 2)


def serializable_add(subject: str, meanwhile: Callable[[], object]) -> None:
    """Read, let somebody else change the row, and then change it: REPEATABLE READ refuses that with 40001."""
    with connections["orders"].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    before = last(subject)
    meanwhile()
    counters().filter(subject=subject).update(last=before + 1)


def test_a_serialization_failure_is_tried_again_with_what_is_true_then(elsewhere: Any) -> None:
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        serializable_add("a", meanwhile=lambda: elsewhere(lambda: add_one("a")) if len(runs) == 1 else None)

    retrying(work, using="orders")

    assert len(runs) == 2
    assert last("a") == 2


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_it_gives_up_after_so_many_attempts(attempts: int, elsewhere: Any) -> None:
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        serializable_add("a", meanwhile=lambda: (add_one("b"), elsewhere(lambda: add_one("a"))))

    with pytest.raises(OperationalError) as caught:
        retrying(work, using="orders", attempts=attempts)

    assert caught.value.__cause__.pgcode == "40001"  # type: ignore[union-attr]
    assert len(runs) == attempts
    assert last("a") == attempts, "what the others did"
    assert last("b") == 0, "nothing of ours was left"
    assert open_transactions() == []


def test_it_tries_three_times_where_nobody_says_how_often(elsewhere: Any) -> None:
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        serializable_add("a", meanwhile=lambda: elsewhere(lambda: add_one("a")))

    with pytest.raises(OperationalError):
        retrying(work, using="orders")

    assert len(runs) == 3


@pytest.mark.parametrize("kind", ["unique", "timeout", "ours"])
def test_what_would_fail_again_or_may_have_run_is_not_tried_again(kind: str, sql: Sql) -> None:
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        add_one("b")
        if kind == "unique":
            counters().create(subject="a", last=1)
        elif kind == "timeout":
            sql("orders", "SET LOCAL statement_timeout = '20ms'")
            sql("orders", "SELECT pg_sleep(1)")
        else:
            raise ValueError

    with pytest.raises({"unique": IntegrityError, "timeout": OperationalError, "ours": ValueError}[kind]):
        retrying(work, using="orders")

    assert len(runs) == 1
    assert last("b") == 0


def test_an_operational_error_without_a_code_is_not_tried_again() -> None:
    """A connection that broke: whether the commit went through, only the caller's key can tell."""
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        raise OperationalError("server closed the connection unexpectedly")

    with pytest.raises(OperationalError, match="closed the connection"):
        retrying(work, using="orders")

    assert len(runs) == 1


def test_it_cannot_be_part_of_a_larger_transaction() -> None:
    """A retry inside one could not undo what came before, and would run in a transaction that is aborted already."""
    runs: list[int] = []

    with transaction.atomic(using="orders"), pytest.raises(RuntimeError, match="durable"):
        retrying(lambda: runs.append(1), using="orders")

    assert runs == []


@pytest.mark.parametrize(
    ("error", "outage"),
    [(OperationalError(), True), (InterfaceError(), True), (IntegrityError(), False), (ValueError(), False)],
    ids=lambda value: type(value).__name__,
)
def test_an_outage_is_told_from_an_error_of_ours(error: Exception, outage: bool) -> None:
    assert is_outage(error) is outage
