"""Many requests under one key at the same moment."""

from __future__ import annotations

import threading

from django.db import connections

from runtime.idempotency.store import StillRunning, begin


def test_of_fifty_at_once_one_runs(committed):
    barrier, outcomes = threading.Barrier(50), []

    def ask() -> None:
        barrier.wait()
        try:
            begun = begin(using="inventory", principal="ada", route="POST /things", key="k", fingerprint="f")
            outcomes.append(type(begun).__name__)
        except StillRunning:
            outcomes.append("StillRunning")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["Run"] + ["StillRunning"] * 49
