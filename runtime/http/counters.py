"""
Counting in windows, in the cache that all processes share; in this process alone while the cache is out of reach.

A window begins with its first count and ends after its time (the ``limits`` library's fixed windows).
"""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from limits.storage import MemoryStorage, RedisStorage
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

__all__ = ["BadLimit", "Count", "Counters", "Limit", "counters", "parse_limit"]

log = logging.getLogger(__name__)

_RETRY_CACHE_SECONDS = 10
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LIMIT = re.compile(r"(\d{1,9})/(\d{1,6})([smhd])", re.ASCII)


class BadLimit(ValueError):
    """A limit is written count/time, as in 100/15m, or off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So many in so many seconds."""

    quota: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Where a counter stands: ``used`` includes the latest; ``resets_in`` is in whole seconds, at least 1."""

    limit: Limit
    used: int
    resets_in: int

    @property
    def exceeded(self) -> bool:
        return self.used > self.limit.quota

    @property
    def remaining(self) -> int:
        return max(0, self.limit.quota - self.used)


@cache
def parse_limit(text: str) -> Limit | None:
    """``100/15m`` is 100 in 15 minutes; ``off`` is None. Raises BadLimit."""
    if text == "off":
        return None
    found = _LIMIT.fullmatch(text)
    if found is None or not int(found[1]) or not int(found[2]):
        raise BadLimit(f"{text!r} is not a limit: write count/time, as in 100/15m, or off")
    return Limit(quota=int(found[1]), seconds=int(found[2]) * _UNITS[found[3]])


class Counters:
    """Counters by name. Never raises because of the cache."""

    def __init__(self, cache_url: str | None) -> None:
        self._shared = _SharedStorage(cache_url, **_IMPATIENT) if cache_url else None
        self._own: MemoryStorage | None = None
        self._lock = threading.Lock()
        self._retry_at = 0.0

    def count(self, name: str, limit: Limit, *, amount: int = 1) -> Count:
        """Add ``amount`` (a negative one gives back) and say where the counter stands."""
        if self._shared is not None and time.monotonic() >= self._retry_at:
            try:
                used, left = self._shared.count(name, limit.seconds, amount)
                return Count(limit=limit, used=used, resets_in=max(1, left))
            except RedisError as error:
                self._retry_at = time.monotonic() + _RETRY_CACHE_SECONDS
                log.warning("limits are counted in this process alone, the cache does not answer: %s", error)
        return self._count_alone(name, limit, amount)

    def _count_alone(self, name: str, limit: Limit, amount: int) -> Count:
        with self._lock:
            self._own = self._own or MemoryStorage()
            used = self._own.incr(name, limit.seconds, amount)
            left = self._own.get_expiry(name) - time.time()
        return Count(limit=limit, used=used, resets_in=min(limit.seconds, max(1, math.ceil(left))))


class _SharedStorage(RedisStorage):
    """The library's counters, which tell in the same round trip how long they still live."""

    _COUNT = b"""
        local used = redis.call('incrby', KEYS[1], ARGV[2])
        if used == tonumber(ARGV[2]) then redis.call('expire', KEYS[1], ARGV[1]) end
        return {used, redis.call('ttl', KEYS[1])}
    """

    def count(self, name: str, seconds: int, amount: int) -> tuple[int, int]:
        """The count afterwards, and after how many seconds it begins anew. Raises RedisError."""
        used, left = self._count_and_tell([self.prefixed_key(name)], [seconds, amount])
        return int(used), int(left)

    def initialize_storage(self, uri: str) -> None:
        super().initialize_storage(uri)
        self._count_and_tell = self.get_connection().register_script(self._COUNT)


# A cache that hangs must not hold up every request: a quarter of a second, then ten seconds without it.
_IMPATIENT: dict[str, Any] = {
    "socket_timeout": 0.25,
    "socket_connect_timeout": 0.25,
    "retry": Retry(NoBackoff(), 0),
}


@cache
def counters() -> Counters:
    """This process's counters, on CACHE_URL."""
    return Counters(settings.CACHE_URL)
