"""
Each request has an id and a span, and leaves one line in the log.

``X-Request-Id`` is kept where it is 1 to 128 visible ASCII characters; ``traceparent`` is continued where it is valid
(W3C Trace Context). Both are returned.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode

from contracts._base import new_id
from runtime.identity.authentication import caller_of
from runtime.telemetry.logs import about
from runtime.telemetry.metrics import answering, count_request
from runtime.telemetry.spans import entering
from runtime.telemetry.tracing import (
    asked_as,
    continue_or_start,
    current_request_id,
    current_traceparent,
    working_on,
)

__all__ = ["RequestIdMiddleware"]

log = logging.getLogger("runtime.http.access")

_SANE = re.compile(r"[\x21-\x7e]{1,128}")


class RequestIdMiddleware:
    """The outermost: everything a request does happens inside its span."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _SANE.fullmatch(given) else str(new_id())
        started = time.perf_counter()
        with answering(), about(), asked_as(request_id), _traced(request) as span:
            response = self._get_response(request)
            seconds = time.perf_counter() - started
            _describe(span, request, response)
            _write_line(request, response, milliseconds=seconds * 1000)
            response["traceparent"] = current_traceparent() or ""
        count_request(method=request.method or "", route=_route(request), status=response.status_code, seconds=seconds)
        response["X-Request-Id"] = request_id
        return response


@contextmanager
def _traced(request: HttpRequest) -> Iterator[Span]:
    """A span of the server's kind; probes, and those who only wait for news, leave none."""
    traceparent, method = request.headers.get("traceparent"), request.method or ""
    if request.path.startswith(settings.TRACES_LEFT_OUT):
        with working_on(trace=continue_or_start(traceparent), request_id=current_request_id()):
            yield INVALID_SPAN
        return
    # No path: it may hold whatever somebody has written. The route is known when the request is over.
    attributes = {"http.request.method": method, "url.scheme": request.scheme or ""}
    with entering(method, traceparent=traceparent, kind=SpanKind.SERVER, attributes=attributes) as span:
        yield span


def _describe(span: Span, request: HttpRequest, response: HttpResponse) -> None:
    if not span.is_recording():
        return
    route, caller = _route(request), caller_of(request)
    # A call of another service is called by what it asks for (runtime.calls.serving).
    if getattr(span, "name", "") == request.method:
        span.update_name(f"{request.method} {route}")
    span.set_attributes({"http.route": route, "http.response.status_code": response.status_code})
    if caller is not None:
        span.set_attribute("user.id", caller.id)
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_attribute("error.type", str(response.status_code))
        span.set_status(Status(StatusCode.ERROR))


def _write_line(request: HttpRequest, response: HttpResponse, *, milliseconds: float) -> None:
    """The route and not the path, the caller's id and not the name: a log keeps no personal data."""
    caller = caller_of(request)
    log.info(
        "request",
        extra={
            "method": request.method,
            "route": _route(request),
            "status": response.status_code,
            "ms": round(milliseconds, 1),
            "principal": caller.id if caller else None,
            **_ids(request),
        },
    )


def _ids(request: HttpRequest) -> dict[str, str]:
    """Which order or user the address names."""
    named = request.resolver_match.kwargs if request.resolver_match else {}
    return {name: str(named[name]) for name in ("order_id", "user_id") if isinstance(named.get(name), UUID)}


def _route(request: HttpRequest) -> str:
    match = request.resolver_match
    return f"/{match.route}" if match else "(none)"
