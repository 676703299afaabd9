"""
The recent traces, kept in the cache that all processes share: written by each, read by the console, gone by themselves.

Whole batches are written in one round trip, packed. All traces together take 32 MiB at the most, the oldest make room;
one of them 1 MiB; after a day each is gone.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import msgspec
from django.conf import settings
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

__all__ = ["RecentTraces", "Recorded", "recent_traces"]

MOST_BYTES = 32 * 1024 * 1024
MOST_BYTES_OF_ONE = 1024 * 1024
MOST_SECONDS = 24 * 60 * 60

_IMPATIENT: dict[str, Any] = {
    "socket_timeout": 1.0,
    "socket_connect_timeout": 0.5,
    "retry": Retry(NoBackoff(), 0),
}

# KEYS: when each trace was last written to, its bytes, and the bytes of all. ARGV: the prefix of a trace's own key,
# the three limits, and then trace ids and batches in turns. What a key itself takes is counted as 200 bytes.
_KEEP = """
local recent, sizes, total = KEYS[1], KEYS[2], KEYS[3]
local prefix, most, most_of_one, age = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = tonumber(redis.call('TIME')[1])
local function forget(id)
    redis.call('DEL', prefix .. id)
    redis.call('DECRBY', total, redis.call('HGET', sizes, id) or 0)
    redis.call('HDEL', sizes, id)
    redis.call('ZREM', recent, id)
end
for at = 5, #ARGV, 2 do
    local id, batch = ARGV[at], ARGV[at + 1]
    local had = tonumber(redis.call('HGET', sizes, id) or 0)
    local more = #batch + (had == 0 and 200 or 0)
    if had + more <= most_of_one then
        redis.call('RPUSH', prefix .. id, batch)
        redis.call('EXPIRE', prefix .. id, age)
        redis.call('HINCRBY', sizes, id, more)
        redis.call('INCRBY', total, more)
        redis.call('ZADD', recent, now, id)
    end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', recent, '-inf', now - age, 'LIMIT', 0, 100)) do forget(id) end
while tonumber(redis.call('GET', total) or 0) > most do
    local oldest = redis.call('ZRANGE', recent, 0, 0)[1]
    if not oldest then redis.call('DEL', total) break end
    forget(oldest)
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, age) end
"""

_PREFIX = "mitosis:trace:"
_KEYS = ("mitosis:traces:recent", "mitosis:traces:sizes", "mitosis:traces:total")


class Recorded(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One span. Ids are hexadecimal; ``began`` and ``ended`` are in nanoseconds since 1970; ``kind`` in lower case."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    service: str
    process: int
    began: int
    ended: int
    failed: bool
    attributes: dict[str, Any]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Recorded]).decode


class RecentTraces(SpanExporter):
    """Any number of processes write to one cache, and read from it. Raises RedisError while that is out of reach."""

    def __init__(
        self, cache_url: str, *, most_bytes: int = MOST_BYTES, most_bytes_of_one: int = MOST_BYTES_OF_ONE
    ) -> None:
        self._redis = Redis.from_url(cache_url, **_IMPATIENT)
        self._keep = self._redis.register_script(_KEEP)
        self._limits = (most_bytes, most_bytes_of_one, MOST_SECONDS)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        by_trace: dict[str, list[Recorded]] = defaultdict(list)
        for span in spans:
            told = _told(span)
            by_trace[told.trace_id].append(told)
        batches: list[str | bytes] = []
        for trace_id, of_one in by_trace.items():
            batches += [trace_id, zlib.compress(_encode(of_one), 1)]
        self._keep(keys=list(_KEYS), args=[_PREFIX, *self._limits, *batches])
        return SpanExportResult.SUCCESS

    def find(self, trace_id: str) -> list[Recorded]:
        """The spans of one trace in order of time, as far as they have come; none where it is not known (any more)."""
        batches = cast(list[bytes], self._redis.lrange(_PREFIX + trace_id, 0, -1))
        found = [span for batch in batches for span in _decode(zlib.decompress(batch))]
        return sorted(found, key=lambda span: (span.began, span.ended))

    def latest(self, count: int) -> list[str]:
        """The ids of the traces that were written to last, the latest first."""
        found = cast(list[bytes], self._redis.zrange(_KEYS[0], 0, count - 1, desc=True))
        return [trace_id.decode() for trace_id in found]

    def known(self, trace_ids: Sequence[str]) -> frozenset[str]:
        """Which of these can be shown."""
        if not trace_ids:
            return frozenset()
        scores = self._redis.zmscore(_KEYS[0], list(trace_ids))
        return frozenset(one for one, score in zip(trace_ids, scores, strict=True) if score is not None)


def _told(span: ReadableSpan) -> Recorded:
    made = span.get_span_context()
    assert made is not None
    attributes = span.resource.attributes
    return Recorded(
        trace_id=f"{made.trace_id:032x}",
        span_id=f"{made.span_id:016x}",
        parent_id=f"{span.parent.span_id:016x}" if span.parent else None,
        name=span.name,
        kind=span.kind.name.lower(),
        service=str(attributes.get("service.name", "")),
        process=int(str(attributes.get("process.pid", 0))),
        began=span.start_time or 0,
        ended=span.end_time or 0,
        failed=span.status.status_code is StatusCode.ERROR,
        attributes=dict(span.attributes or {}),
    )


@cache
def recent_traces() -> RecentTraces | None:
    """Those on CACHE_URL; None where there is none, or where a collector gets the traces."""
    if settings.TRACES_ENDPOINT or not settings.CACHE_URL:
        return None
    return RecentTraces(settings.CACHE_URL)
