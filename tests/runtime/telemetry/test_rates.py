"""How often things happen: added up over processes, never twice, gone when old, and never in anybody's way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from prometheus_client import CollectorRegistry, Counter, Histogram

from runtime.messaging.counting import count_try
from runtime.telemetry import rates
from runtime.telemetry.metrics import count_call
from runtime.telemetry.rates import KEPT_SECONDS, Rates, counted_by_rates
from tests.runtime.telemetry.shared_rates import shared

__all__ = ["shared"]

ROOT = Path(__file__).resolve().parents[3]
HERE = "users+inventory+payments+orders"


def of_late(shared: Rates, *words: str, seconds: int = 60) -> dict[int, int]:
    """What was added under these words, by bucket, whoever counted it."""
    rates.flush()
    found, _ = shared.read(seconds)
    return {at: number for name, numbers in found.items() if name[1:] == words for at, number in numbers.items()}


def test_a_call_is_counted_once_by_its_result_and_how_long_it_took(shared):
    method = f"quote_{uuid4().hex}"
    for result, seconds in (("ok", 0.001), ("ok", 0.004), ("ok", 0.3), ("unavailable", 60.0)):
        count_call(callee="inventory", method=method, way="local", result=result, seconds=seconds)

    assert of_late(shared, "call", "inventory", method, "local", "ok") == {0: 2, 6: 1}
    # Handed over is handed over: the next look adds what came since.
    count_call(callee="inventory", method=method, way="local", result="ok", seconds=0.001)
    assert of_late(shared, "call", "inventory", method, "local", "ok") == {0: 3, 6: 1}
    assert of_late(shared, "call", "inventory", method, "local", "unavailable") == {11: 1}


def test_an_event_is_counted_by_each_try_of_its_consumer(shared):
    for result in ("failed", "failed", "handled"):
        count_try("OrderShipped", consumer="inventory", result=result)

    assert of_late(shared, "event", "inventory", "OrderShipped", "failed") == {0: 2}
    assert of_late(shared, "event", "inventory", "OrderShipped", "handled") == {0: 1}


def test_what_a_series_had_counted_before_it_was_looked_at_is_not_told(shared):
    """Somebody else's, who had the seat before."""
    word, before = uuid4().hex, Counter("before", "Counted.", registry=CollectorRegistry())
    before.inc(100)
    counted_by_rates(before, word).inc(2)
    counted_by_rates(before, word).inc()

    assert of_late(shared, word) == {0: 3}


class Counting:
    """Another process that counts calls when it is told to."""

    def __init__(self, folder: Path, cache_url: str) -> None:
        command = [sys.executable, "-m", "tests.runtime.telemetry.counting"]
        env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "CACHE_URL": cache_url}
        env |= {"PROMETHEUS_MULTIPROC_DIR": str(folder), "DOMAINS": "orders", "STATE_DIR": str(folder)}
        env |= {f"{domain.upper()}_URL": "http://127.0.0.1:1" for domain in ("users", "inventory", "payments")}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, words: str) -> None:
        """And wait until it has ended."""
        out, _ = self._process.communicate(words, timeout=60)
        assert out == "done\n" * len(words.splitlines())
        assert self._process.returncode == 0


def test_processes_are_added_up_and_a_child_counts_for_itself(shared, tmp_path):
    one, other = (Counting(tmp_path, settings.CACHE_URL) for _ in range(2))
    one.tell("3\nfork\n2\n")
    other.tell("4\n")
    # The third takes the seat of one that ended, and tells nothing of what that one had counted.
    Counting(tmp_path, settings.CACHE_URL).tell("1\n")

    found, _ = shared.read(60)
    assert found[("orders", "call", "inventory", "quote", "remote", "ok")] == {0: 3 + 2 + 10 + 4 + 1}


def test_a_process_ends_without_the_cache_and_says_nothing(tmp_path):
    Counting(tmp_path, "redis://127.0.0.1:1/0").tell("3\n")


def test_a_cache_that_is_away_takes_nothing_and_what_is_lost_stays_lost(shared, settings, caplog):
    word, counted = uuid4().hex, Counter("of", "Counted.", registry=CollectorRegistry())
    counted_by_rates(counted, word)
    own, settings.CACHE_URL = settings.CACHE_URL, "redis://127.0.0.1:1/0"
    rates.shared_rates.cache_clear()
    counted.inc(5)
    began = time.monotonic()
    rates.flush()
    assert time.monotonic() - began < 1.5
    # Traces say it once a minute, and the page says it to whoever looks: not this one, every two seconds.
    assert caplog.records == []

    settings.CACHE_URL = own
    rates.shared_rates.cache_clear()
    counted.inc()
    assert of_late(shared, word) == {0: 1}


def test_who_has_no_cache_looks_at_nothing(settings):
    settings.CACHE_URL = None
    word, counted = uuid4().hex, Counter("of", "Counted.", registry=CollectorRegistry())

    assert counted_by_rates(counted, word) is counted
    assert not any(word in name for name in rates._looking._seen)
    assert rates.shared_rates.__wrapped__() is None


def test_a_thread_survives_a_figure_that_cannot_be_read(shared, caplog):
    word = uuid4().hex

    class Broken:
        broken = False

        def collect(self):
            if self.broken:
                raise ZeroDivisionError
            return []

    broken = counted_by_rates(Broken(), word)
    broken.broken = True
    rates._look()
    rates._looking._seen.pop((HERE, word))

    assert "could not be handed over" in caplog.text


def test_what_is_old_is_not_read_and_goes_by_itself(shared):
    shared.add({("one",): [1]})
    (slot,) = shared._redis.keys("mitosis:rates:*")
    assert KEPT_SECONDS - 60 < shared._redis.ttl(slot) <= KEPT_SECONDS
    now = int(slot.decode().rpartition(":")[2])
    for age in (50, 60, 70, 290, 310):
        shared._redis.hset(f"mitosis:rates:{now - age}", f"{age}|0", 1)

    assert {int(name[0]) for name in shared.read(60)[0] if name != ("one",)} <= {50, 60}
    found, covered = shared.read(300)
    assert {name[0] for name in found} - {"one"} == {"50", "60", "70", "290"}
    assert 290 <= covered <= 310


def test_a_rate_is_of_the_seconds_that_were_really_looked_at(shared):
    _, covered = shared.read(60)

    assert 50 <= covered <= 60


def test_the_thread_hands_over_by_itself(shared):
    word, counted = uuid4().hex, Histogram("of", "Counted.", registry=CollectorRegistry(), buckets=(1.0,))
    counted_by_rates(counted, word).observe(2.0)
    assert any(thread.name == "rates" and thread.daemon for thread in threading.enumerate())

    def arrived() -> bool:
        return any(word in name for name in shared.read(60)[0])

    _await(arrived)


def _await(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_cache_that_is_away_is_said_to_whoever_reads():
    with pytest.raises(redis.exceptions.RedisError):
        Rates("redis://127.0.0.1:1/0").read(60)
