"""
Each request has an id and a span, from the caller or made here, and leaves one line in the log.

``X-Request-Id`` is kept where it is 1 to 128 visible ASCII characters; ``traceparent`` is continued where it is valid
(W3C Trace Context). Both are returned.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from contracts._base import new_id
from runtime.identity.authentication import caller_of
from runtime.telemetry.metrics import answering, count_request
from runtime.telemetry.tracing import continue_or_start, working_on

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
        trace = continue_or_start(request.headers.get("traceparent"))
        started = time.perf_counter()
        with answering(), working_on(trace=trace, request_id=request_id):
            response = self._get_response(request)
            seconds = time.perf_counter() - started
            _write_line(request, response, milliseconds=seconds * 1000)
        count_request(method=request.method or "", route=_route(request), status=response.status_code, seconds=seconds)
        response["X-Request-Id"] = request_id
        response["traceparent"] = trace.traceparent
        return response


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
        },
    )


def _route(request: HttpRequest) -> str:
    match = request.resolver_match
    return f"/{match.route}" if match else "(none)"
