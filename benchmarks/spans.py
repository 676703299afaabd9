"""
Asked by benchmarks.tracing, after orders were placed: how many spans an order has, and what they cost by themselves.

The answer goes to standard output.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"

import django

django.setup()

from django.conf import settings

from runtime.telemetry.sending import flush
from runtime.telemetry.spans import entering, span
from runtime.telemetry.statements import _recording
from runtime.telemetry.traces import RecentTraces

_TIMES = 500
_UNRECORDED = f"00-{'1' * 32}-{'2' * 16}-00"
_STATEMENT = 'SELECT "a"."id", "a"."status", "a"."total", "a"."items" FROM "orders_order" AS "a" WHERE "a"."id" = %s'


def spans() -> tuple[int, int]:
    """Of the median trace of an order among the latest: how many, and how many of these are statements."""
    traces = RecentTraces(settings.CACHE_URL or "")
    found = [traces.find(trace_id) for trace_id in traces.latest(50)]
    orders = sorted((one for one in found if any("order.id" in each.attributes for each in one)), key=len)
    typical = orders[len(orders) // 2]
    return len(typical), sum("db.system.name" in each.attributes for each in typical)


class _Connection:
    alias = "orders"


def _nothing(sql: Any, params: Any, many: bool, context: dict[str, Any]) -> None: ...


def _order(traceparent: str | None, parts: int, statements: int) -> None:
    context = {"connection": _Connection}
    with entering("POST /api/orders", traceparent=traceparent, attributes={"http.request.method": "POST"}):
        for _ in range(parts):
            with span("reserve do", attributes={"saga.step": "reserve", "saga.action": "do"}):
                pass
        for _ in range(statements):
            _recording(_nothing, _STATEMENT, None, False, context)


def _milliseconds(work: Callable[[], None]) -> float:
    """CPU of this process, its threads included, for one of many."""
    work()
    began = time.process_time()
    for number in range(_TIMES):
        work()
        if number % 8 == 7:
            flush()
    flush()
    return 1000 * (time.process_time() - began) / _TIMES


if __name__ == "__main__":
    count, sql = spans()
    found = {
        "spans": count,
        "looking_ms": _milliseconds(lambda: _order(_UNRECORDED, count - sql - 1, sql)),
        "recorded_ms": _milliseconds(lambda: _order(None, count - sql - 1, sql)),
    }
    print(json.dumps(found))
