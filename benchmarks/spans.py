"""
Asked by benchmarks.tracing: `python -m benchmarks.spans spans CACHE_URL` and `… looking PARTS STATEMENTS`.

The answer goes to standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"

import django

django.setup()

from runtime.telemetry.spans import span
from runtime.telemetry.statements import _recording
from runtime.telemetry.traces import RecentTraces
from runtime.telemetry.tracing import Trace, working_on

_TIMES = 2_000
_UNRECORDED = Trace(trace_id="1" * 32, span_id="2" * 16, flags="00")


def spans(cache_url: str) -> dict[str, int]:
    """Of the median trace of an order among the latest."""
    traces = RecentTraces(cache_url)
    found = [traces.find(trace_id) for trace_id in traces.latest(50)]
    orders = sorted((one for one in found if any("order.id" in each.attributes for each in one)), key=len)
    typical = orders[len(orders) // 2]
    return {
        "spans": len(typical),
        "statements": sum("db.system.name" in each.attributes for each in typical),
    }


def looking(parts: int, statements: int) -> float:
    """Milliseconds of CPU for so many spans that are not recorded."""

    def execute(sql: Any, params: Any, many: bool, context: dict[str, Any]) -> None: ...

    with working_on(trace=_UNRECORDED):
        began = time.process_time()
        for _ in range(_TIMES):
            for _ in range(parts):
                with span("part", attributes={}):
                    pass
            for _ in range(statements):
                _recording(execute, "SELECT 1", None, False, {})
        spent = time.process_time() - began
        began = time.process_time()
        for _ in range(_TIMES):
            for _ in range(statements):
                execute("SELECT 1", None, False, {})
        return 1000 * (spent - (time.process_time() - began)) / _TIMES


if __name__ == "__main__":
    if sys.argv[1] == "spans":
        print(json.dumps(spans(sys.argv[2])))
    else:
        print(looking(int(sys.argv[2]), int(sys.argv[3])))
