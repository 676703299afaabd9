"""
What is refused before any view sees it, and the headers that every answer wears.

NUL and lone surrogates in the path or the query string (no column holds them); a chunked body over the limit; TRACE.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from runtime.http.parser import LARGEST_BODY, too_large, unusable_text
from runtime.http.problem import Problem
from runtime.http.problems import problem_response

__all__ = ["HEADERS", "GuardMiddleware"]

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # Whatever may be kept says so itself.
    "Cache-Control": "no-store",
}


class GuardMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            _refuse_trace(request)
            _refuse_unknown_host(request)
            _refuse_unusable_address(request)
            _take_chunked_body(request)
            response = self._get_response(request)
            if isinstance(response, HttpResponseNotAllowed):  # Django's own, of a view that is not DRF's
                raise _not_allowed(request, allowed=response["Allow"])
        except Problem as problem:
            response = problem_response(problem, request=request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if not response.streaming:
            response.headers.setdefault("Content-Length", str(len(response.content)))
            if request.method == "HEAD":  # RFC 9110, 9.3.2: the headers of a GET, and nothing after them
                response.content = b""
        return response


def _refuse_trace(request: HttpRequest) -> None:
    if request.method in ("TRACE", "CONNECT"):
        raise _not_allowed(request, allowed="GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")


def _not_allowed(request: HttpRequest, *, allowed: str) -> Problem:
    return Problem(405, "method_not_allowed", f"{request.method} is not answered here.", headers={"Allow": allowed})


def _refuse_unknown_host(request: HttpRequest) -> None:
    """ALLOWED_HOSTS. Probes, and who reads figures, come by an address that nobody could have listed."""
    if request.path in ("/health", "/metrics") or request.path.startswith("/health/"):
        return
    try:
        request.get_host()
    except DisallowedHost:
        raise Problem(400, "unknown_host", "This host is not served here.") from None


def _refuse_unusable_address(request: HttpRequest) -> None:
    query = unquote_to_bytes(request.META.get("QUERY_STRING", "").replace("+", " "))
    try:
        unusable = unusable_text(request.path) or unusable_text(query.decode("utf-8"))
    except UnicodeDecodeError:
        unusable = True
    if unusable:
        raise Problem(400, "unusable_text", "The address has a NUL in it or is not UTF-8.")


def _take_chunked_body(request: HttpRequest) -> None:
    """
    Django reads as many bytes as Content-Length says, and a chunked body does not say: read it here, up to the limit.
    """
    meta: dict[str, Any] = request.META
    if "chunked" not in meta.get("HTTP_TRANSFER_ENCODING", "").lower() or not meta.get("wsgi.input_terminated"):
        return
    body = meta["wsgi.input"].read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        raise too_large()
    meta["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)  # WSGIRequest's own, made from Content-Length
