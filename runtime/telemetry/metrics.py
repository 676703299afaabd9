"""
What is counted, in Prometheus's words, and how it is shown: all web processes together.

Names follow the OpenTelemetry semantic conventions as Prometheus writes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["answering", "count_call", "count_request", "counted", "metrics"]

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_REQUESTS = Histogram(
    "http_server_request_duration_seconds",
    "How long requests took, by method, route and status.",
    ["method", "route", "status"],
    buckets=_BUCKETS,
)
# "liveall": a series for each process that lives, as each has threads of its own.
_ACTIVE = Gauge(
    "http_server_active_requests",
    "Requests that this process is answering now. As many as WEB_THREADS: the next one waits.",
    multiprocess_mode="liveall",
)
_CALLS = Histogram(
    "mitosis_call_duration_seconds",
    "How long calls of a domain's contract took, by callee, method, way (local or remote) and result.",
    ["callee", "method", "way", "result"],
    buckets=_BUCKETS,
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@contextmanager
def answering() -> Iterator[None]:
    """A request is being answered."""
    _ACTIVE.inc()
    try:
        yield
    finally:
        _ACTIVE.dec()


def count_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """``route`` is the pattern, never the path: a path would make a series for each order."""
    _REQUESTS.labels(method if method in _METHODS else "other", route, str(status)).observe(seconds)


@cache
def _call(callee: str, method: str, way: str, result: str) -> Histogram:
    return _CALLS.labels(callee, method, way, result)


def count_call(*, callee: str, method: str, way: str, result: str, seconds: float) -> None:
    """``way``: local or remote. ``result``: ok, or what kind of no."""
    _call(callee, method, way, result).observe(seconds)


def counted() -> CollectorRegistry:
    """What this process, or where several share the work all of them, have counted so far."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # registers itself
    return registry


def metrics(request: HttpRequest) -> HttpResponse:
    """Everything counted so far, in Prometheus's text format."""
    found = generate_latest(counted())
    asked = CollectorRegistry()
    for path in settings.METRIC_COLLECTORS:
        asked.register(import_string(path)())
    return HttpResponse(found + generate_latest(asked), content_type=CONTENT_TYPE_LATEST)
