"""Everything that is read inside a snapshot is of one moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction

from runtime.databases.transactions import open_transactions, snapshot
from runtime.messaging.models import EventCounter

pytestmark = pytest.mark.usefixtures("committed")


def subjects(alias: str = "orders") -> set[str]:
    return set(EventCounter.objects.using(alias).values_list("subject", flat=True))


@pytest.fixture
def somebody_else(login: Callable[[str], Any]) -> Callable[[str], None]:
    """Commits a row on a connection of its own."""

    def add(subject: str) -> None:
        connection = login("orders")._connection
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO messaging_eventcounter (subject, last) VALUES (%s, 1)", [subject])
        connection.commit()

    return add


def test_what_others_commit_meanwhile_is_not_seen(somebody_else: Callable[[str], None]) -> None:
    somebody_else("before")

    with snapshot("orders"):
        assert subjects() == {"before"}
        somebody_else("meanwhile")
        assert subjects() == {"before"}

    assert subjects() == {"before", "meanwhile"}


def test_a_plain_transaction_sees_it(somebody_else: Callable[[str], None]) -> None:
    """Which is why there are snapshots."""
    with transaction.atomic(using="orders"):
        assert subjects() == set()
        somebody_else("meanwhile")
        assert subjects() == {"meanwhile"}


def test_the_next_transaction_is_as_it_always_was() -> None:
    with snapshot("orders"):
        pass

    with transaction.atomic(using="orders"), connections["orders"].cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)


def test_nothing_is_left_open_by_a_snapshot_that_fails() -> None:
    with pytest.raises(ZeroDivisionError), snapshot("orders"):
        raise ZeroDivisionError

    assert open_transactions() == []
