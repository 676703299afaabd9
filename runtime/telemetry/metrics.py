"""
What is counted, in Prometheus's words, and how it is shown: all web processes together.

Names follow the OpenTelemetry semantic conventions as Prometheus writes them.
"""

from __future__ import annotations

import os

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["count_request", "metrics"]

_REQUESTS = Histogram(
    "http_server_request_duration_seconds",
    "How long requests took, by method, route and status.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """``route`` is the pattern, never the path: a path would make a series for each order."""
    _REQUESTS.labels(method if method in _METHODS else "other", route, str(status)).observe(seconds)


def metrics(request: HttpRequest) -> HttpResponse:
    """Everything counted so far, in Prometheus's text format."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # registers itself
    found = generate_latest(registry)
    asked = CollectorRegistry()
    for path in settings.METRIC_COLLECTORS:
        asked.register(import_string(path)())
    return HttpResponse(found + generate_latest(asked), content_type=CONTENT_TYPE_LATEST)
