"""
Each call leaves its count and its duration on /metrics, by callee, method, way and result, and a span in its trace.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from opentelemetry.trace import SpanKind

from contracts._base import DeadlineExceeded, Rejected, Superseded, Unavailable
from runtime.resilience import BreakerOpen, BulkheadFull
from runtime.telemetry.metrics import count_call
from runtime.telemetry.spans import span

__all__ = ["counted", "rpc"]

_RESULTS: tuple[tuple[type[BaseException], str], ...] = (
    (Rejected, "rejected"),
    (BreakerOpen, "breaker_open"),
    (BulkheadFull, "bulkhead_full"),
    (DeadlineExceeded, "deadline_exceeded"),
    (Unavailable, "unavailable"),
    (Superseded, "superseded"),
)
"""By the first that fits; all else is a bug's."""


_KINDS = {"local": SpanKind.INTERNAL, "remote": SpanKind.CLIENT}


def rpc(domain: str, method: str) -> dict[str, str]:
    """What a span says of a call, on either side; its name is the ``rpc.method``."""
    return {"rpc.system.name": "mitosis", "rpc.method": f"{domain}/{method}"}


def counted(domain: str, method: str, way: str, invoke: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which is counted. What is asked wrongly (inside a transaction, say) is a bug's as well."""

    def count(result: str, began: float) -> None:
        count_call(callee=domain, method=method, way=way, result=result, seconds=perf_counter() - began)

    name, kind, attributes = f"{domain}/{method}", _KINDS[way], rpc(domain, method)

    def asked(**arguments: Any) -> Any:
        began = perf_counter()
        try:
            with span(name, kind=kind, attributes=attributes):
                answer = invoke(**arguments)
        except BaseException as error:
            count(next((name for kind, name in _RESULTS if isinstance(error, kind)), "broken"), began)
            raise
        count("ok", began)
        return answer

    return asked
