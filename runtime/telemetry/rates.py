"""
How often something happens of late, added up over all processes in the cache that they share.

What a process counts for /metrics anyway is looked at every two seconds by a thread of its own; what it has gained
since goes to the cache, into the slot of ten seconds that it is there. Whoever counts pays nothing for it and waits for
nobody. What cannot be handed over is lost, and nothing is ever handed over twice.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections import Counter as Sum
from collections.abc import Callable, Iterable, Mapping
from functools import _lru_cache_wrapper, cache
from typing import Any, Protocol, cast

from django.conf import settings
from prometheus_client import Metric
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

__all__ = ["Name", "Rates", "counted_by_rates", "flush", "for_each_process", "shared_rates"]

log = logging.getLogger(__name__)

type Name = tuple[str, ...]
"""What is counted: who counts (the domains of his process with + between), and the words that he gave it."""

SECONDS_BETWEEN_LOOKS = 2.0
SLOT_SECONDS = 10
KEPT_SECONDS = 16 * 60
"""So long is a slot there."""
_LAST_WORDS = 1.0
"""Seconds that the end of the process may wait for the last look."""

_IMPATIENT: dict[str, Any] = {"socket_timeout": 1.0, "socket_connect_timeout": 0.5, "retry": Retry(NoBackoff(), 0)}

_PREFIX = "mitosis:rates:"

# ARGV: the prefix of a slot's key, its seconds, for how long it is kept, and then fields and what is added in turns.
_ADD = """
local now = tonumber(redis.call('TIME')[1])
local key = ARGV[1] .. (now - now % tonumber(ARGV[2]))
for at = 4, #ARGV, 2 do redis.call('HINCRBY', key, ARGV[at], ARGV[at + 1]) end
redis.call('EXPIRE', key, ARGV[3])
"""


class Rates:
    """Any number of processes add, by the cache's clock. Raises RedisError while the cache is out of reach."""

    def __init__(self, cache_url: str) -> None:
        self._redis = Redis.from_url(cache_url, **_IMPATIENT)
        self._add = self._redis.register_script(_ADD)

    def add(self, gained: Mapping[Name, Iterable[int]]) -> None:
        """``gained``: for a counter one number, for a histogram one for each of its buckets, the last without bound."""
        fields = [
            word
            for name, numbers in gained.items()
            for at, number in enumerate(numbers)
            if number
            for word in ("|".join((*name, str(at))), number)
        ]
        if fields:
            self._add(keys=[], args=[_PREFIX, SLOT_SECONDS, KEPT_SECONDS, *fields])

    def read(self, seconds: int) -> tuple[dict[Name, Sum[int]], float]:
        """
        What was added within the last so many seconds, by number of the bucket (0 for a counter), and how many seconds
        that really is: the slot that is under way counts as far as it has come.
        """
        now, microseconds = self._redis.time()
        latest = now - now % SLOT_SECONDS
        first = latest - SLOT_SECONDS * (max(1, seconds // SLOT_SECONDS) - 1)
        with self._redis.pipeline(transaction=False) as asked:
            for slot in range(first, latest + 1, SLOT_SECONDS):
                asked.hgetall(f"{_PREFIX}{slot}")
            slots = cast(list[dict[bytes, bytes]], asked.execute())
        found: dict[Name, Sum[int]] = {}
        for fields in slots:
            for field, number in fields.items():
                *name, at = field.decode().split("|")
                found.setdefault(tuple(name), Sum())[int(at)] += int(number)
        return found, now + microseconds / 1e6 - first


@cache
def shared_rates() -> Rates | None:
    """Those on CACHE_URL; None where there is none."""
    return Rates(settings.CACHE_URL) if settings.CACHE_URL else None


# --- This process's part ---------------------------------------------------------------------------------------------


class Counted(Protocol):
    """One series of a counter or a histogram."""

    def collect(self) -> Iterable[Metric]: ...


class _Looking:
    """What this process counts, and what it had counted when it was last looked at."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """Held while numbers are looked at, and never while they are sent."""
        self.handing_over = threading.Lock()
        """Whoever asks for a last look waits for the one that is under way."""
        self._seen: dict[Name, tuple[Counted, list[int]]] = {}
        self._thread: threading.Thread | None = None

    def begin(self, name: Name, counted: Counted) -> None:
        """From what it has counted by now: a seat that somebody else has left has his counts (seats.py)."""
        with self.lock:
            if name in self._seen:
                return
            self._seen[name] = (counted, _numbers(counted))
            if self._thread is None:
                self._thread = threading.Thread(target=_look_again_and_again, name="rates", daemon=True)
                self._thread.start()
                atexit.register(flush)

    def gained(self) -> dict[Name, list[int]]:
        """Since the last look."""
        found = {}
        with self.lock:
            for name, (counted, before) in self._seen.items():
                now = _numbers(counted)
                if now != before:
                    found[name] = [max(0, here - there) for here, there in zip(now, before, strict=True)]
                    self._seen[name] = (counted, now)
        return found


def _numbers(counted: Counted) -> list[int]:
    """A counter's number; of a histogram, how many fell into each bucket."""
    samples = [sample for metric in counted.collect() for sample in metric.samples]
    numbers = [int(each.value) for each in samples if each.name.endswith(("_total", "_bucket"))]
    # Each bucket of Prometheus holds those below it as well. A counter is a histogram of one.
    return [here - below for here, below in zip(numbers, [0, *numbers], strict=False)]


_looking = _Looking()


def counted_by_rates[C: Counted](counted: C, *words: str) -> C:
    """The same series, of which the rates are told from now on, by these words. None of them has a | in it."""
    if settings.CACHE_URL:
        _looking.begin(("+".join(settings.HOSTED_DOMAINS), *words), counted)
    return counted


def for_each_process[T](make: Callable[..., T]) -> _lru_cache_wrapper[T]:
    """What is made once in each process: a child makes its own, and does not go on with its parent's."""
    made = cache(make)
    os.register_at_fork(after_in_child=made.cache_clear)
    return made


def flush() -> None:
    """Hand over what was counted since, before a process ends that does not tell its threads."""
    sending = threading.Thread(target=_look, daemon=True)
    sending.start()
    sending.join(_LAST_WORDS)


def _look_again_and_again() -> None:
    looking, pause = _looking, threading.Event()
    while looking is _looking:
        pause.wait(SECONDS_BETWEEN_LOOKS)
        _look()


def _look() -> None:
    try:
        with _looking.handing_over:
            if (gained := _looking.gained()) and (rates := shared_rates()) is not None:
                rates.add(gained)
    except RedisError:
        # Whoever shows rates finds that out by himself, and the log has it from what else needs the cache.
        log.debug("the cache does not take how often things happen")
    except Exception:  # whatever it is: a figure is worth no thread
        log.exception("how often things happen could not be handed over")


def _anew() -> None:
    """In a child, which has no thread yet, and has counted nothing."""
    global _looking
    _looking = _Looking()
    shared_rates.cache_clear()


# Not in the middle of a look: the child would find locks that nobody in it will ever give back.
os.register_at_fork(
    before=lambda: _looking.lock.acquire(), after_in_parent=lambda: _looking.lock.release(), after_in_child=_anew
)
