"""What tests of several connections need: many at once, a condition awaited, a database clock that runs ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connections


def together(*calls: Callable[[], Any], limit: float = 60.0) -> list[Any]:
    """
    All at once, a thread and database connections each. Their answers in the calls' order; what one raised stands in
    the place of its answer.
    """
    ready, answers = threading.Barrier(len(calls)), [None] * len(calls)

    def run(position: int, call: Callable[[], Any]) -> None:
        try:
            ready.wait(limit)
            answers[position] = call()
        except Exception as error:  # the test looks at it
            answers[position] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=entry, daemon=True) for entry in enumerate(calls)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + limit
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
        assert not thread.is_alive(), f"still running after {limit} s"
    return answers


def kinds(answers: list[Any]) -> list[str]:
    """The names of the answers' types, sorted."""
    return sorted(type(answer).__name__ for answer in answers)


def wait_until(condition: Callable[[], Any], *, limit: float = 20.0) -> None:
    """Look again and again until it holds. Fails after ``limit`` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"still not so after {limit} s"
        time.sleep(0.02)


def shift_clock(alias: str, by: str) -> None:
    """Make this connection's database clock run ahead, until the connection is closed."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT set_config('mitosis.clock_shift', %s, false)", [by])


def waits_for_a_lock(alias: str, *, at_least: int = 1) -> bool:
    """Whether so many connections of this domain's role stand before a lock right now."""
    with connections[alias].cursor() as cursor:
        # Inside a transaction the view is otherwise read once and then stands still.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE usename = current_user AND datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0] >= at_least)
