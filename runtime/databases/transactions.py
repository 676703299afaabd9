"""
Whether a transaction is open, on any alias: a call to another domain must not wait inside one.

Django keeps what is needed in private places (``atomic_blocks``, ``_from_testcase``, and the connections that a thread
has made so far); tests pin each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import InterfaceError, OperationalError


def open_transactions() -> list[str]:
    """
    The aliases with an open transaction in this thread. A test case's own wrapping transaction does not count.
    """
    return [
        connection.alias
        for connection in _made_so_far()
        if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)
        or (connection.connection is not None and not connection.autocommit and not connection.in_atomic_block)
    ]


def _made_so_far() -> Iterable[Any]:
    """``connections.all(initialized_only=True)`` without its asking for each alias by itself, half of a local call."""
    storage = connections._connections._get_storage()  # type: ignore[attr-defined]  # as said above
    if not isinstance(storage, threading.local):  # in an event loop
        return connections.all(initialized_only=True)
    return [made for made in vars(storage).values() if isinstance(made, BaseDatabaseWrapper)]


@contextmanager
def snapshot(using: str) -> Iterator[None]:
    """Everything read inside is of one moment (REPEATABLE READ)."""
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


_RETRIED = ("40001", "40P01")
"""serialization_failure and deadlock_detected (PostgreSQL manual, 13.5): the transaction left no trace."""


def retrying[T](work: Callable[[], T], *, using: str, attempts: int = 3) -> T:
    """
    Run ``work`` in one durable transaction of this alias, again where the database says that it must be.

    ``work`` has to be free of effects outside that transaction. A commit whose answer was lost is not retried here:
    the caller's key tells, on the next try, whether it ran.
    """
    for attempt in range(1, attempts + 1):
        try:
            with transaction.atomic(using=using, durable=not _inside_testcase(using)):
                return work()
        except OperationalError as error:
            if _sqlstate(error) not in _RETRIED or attempt == attempts:
                raise
    raise AssertionError("unreachable: the last attempt returned or raised")


def is_outage(error: BaseException) -> bool:
    """Whether this says that the database could not be reached or could not answer in time (and not that we erred)."""
    return isinstance(error, OperationalError | InterfaceError)


def _sqlstate(error: BaseException) -> str | None:
    cause: Any = error.__cause__
    return getattr(cause, "pgcode", None)


def _inside_testcase(using: str) -> bool:
    return any(getattr(block, "_from_testcase", False) for block in connections[using].atomic_blocks)
