"""
What is counted, in Prometheus's words, and how it is shown: all processes of a group on one machine together.

Names follow the OpenTelemetry semantic conventions as Prometheus writes them. Whoever counts something takes Counter,
Gauge and Histogram from here, so that it is counted where the other processes find it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from runtime.telemetry import seats
from runtime.telemetry.rates import counted_by_rates, for_each_process

__all__ = [
    "BUCKETS",
    "Counter",
    "Gauge",
    "Histogram",
    "answering",
    "count_answer",
    "count_call",
    "count_request",
    "counted",
    "exposition",
    "metrics",
]

if seats.folder() is not None:
    seats.count_in_seats()

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""

_REQUESTS = Histogram(
    "http_server_request_duration_seconds",
    "How long requests took, by method, route and status.",
    ["method", "route", "status"],
    buckets=BUCKETS,
)
_CALLS = Histogram(
    "mitosis_call_duration_seconds",
    "How long calls of a domain's contract took, by callee, method, way (local or remote) and result.",
    ["callee", "method", "way", "result"],
    buckets=BUCKETS,
)

_ANSWERS = Histogram(
    "mitosis_provider_duration_seconds",
    "How long somebody outside took to answer, by provider, action and result (answered, silent, key_refused, broken).",
    ["provider", "action", "result"],
    buckets=BUCKETS,
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


_making = Lock()


@cache
def _active() -> Gauge:
    """Made with the first request: workers and relays, which answer none, have none to show."""
    # "liveall": a series for each process that lives, as each has threads of its own.
    return Gauge(
        "http_server_active_requests",
        "Requests that this process is answering now. As many as WEB_THREADS: the next one waits.",
        multiprocess_mode="liveall",
    )


@contextmanager
def answering() -> Iterator[None]:
    """A request is being answered."""
    with _making:
        active = _active()
    active.inc()
    try:
        yield
    finally:
        active.dec()


def count_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """``route`` is the pattern, never the path: a path would make a series for each order."""
    _REQUESTS.labels(method if method in _METHODS else "other", route, str(status)).observe(seconds)


@for_each_process
def _call(callee: str, method: str, way: str, result: str) -> Histogram:
    return counted_by_rates(_CALLS.labels(callee, method, way, result), "call", callee, method, way, result)


def count_call(*, callee: str, method: str, way: str, result: str, seconds: float) -> None:
    """``way``: local or remote. ``result``: ok, or what kind of no."""
    _call(callee, method, way, result).observe(seconds)


def count_answer(*, provider: str, action: str, result: str, seconds: float) -> None:
    """Somebody outside of the shop was asked. ``result``: answered, silent, key_refused or broken."""
    _ANSWERS.labels(provider, action, result).observe(seconds)


def counted() -> CollectorRegistry:
    """What this process, or where several share the work all of them, have counted so far."""
    folder = seats.folder()
    if folder is None:
        return REGISTRY
    registry = CollectorRegistry()
    registry.register(seats.SharedCounts(folder))
    return registry


def exposition() -> bytes:
    """What has been counted so far, in Prometheus's text format. Asks no database."""
    return generate_latest(counted())


def metrics(request: HttpRequest) -> HttpResponse:
    """Everything counted so far, and what the databases and the broker say now, in Prometheus's text format."""
    found = exposition()
    asked = CollectorRegistry()
    for path in settings.METRIC_COLLECTORS:
        asked.register(import_string(path)())
    return HttpResponse(found + generate_latest(asked), content_type=CONTENT_TYPE_LATEST)
