"""
Around every request to the console: who is asking, what the browser may do with the answer, and a cookie kept fresh.

Requests to other addresses pass by untouched: the console's cookie means nothing to the API.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse

from contracts._base import Unavailable
from runtime.console import errors, identity, sessions
from runtime.http.addresses import is_https
from runtime.identity.authentication import identify

__all__ = ["ConsoleMiddleware"]

_HEADERS = {
    # Alpine, which Unfold is made with, evaluates the expressions in its templates; everything comes from here.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    # A page that sends no referrer sends the origin "null" with its forms, which the check against forgery refuses.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class ConsoleMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_console(request.path):
            return self._get_response(request)
        secure = is_https(request)
        if secure:
            # For Django's check against forgery, behind a proxy of ours that speaks https for us.
            request.META["wsgi.url_scheme"] = "https"
        session = sessions.read(request)
        request.user = AnonymousUser()
        try:
            operator = identity.operator_of(session) if session else None
        except Unavailable as error:
            return _dressed(errors.nobody_known(request, error))
        if operator is not None:
            request.user = operator
            identify(request, operator.principal)
        response = errors.for_people(request, self._get_response(request))
        _keep_or_end(request, response, session if operator else None, secure=secure)
        return _dressed(response)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return errors.page_for(request, exception) if _is_console(request.path) else None


def _is_console(path: str) -> bool:
    root = settings.CONSOLE_PATH
    return path == root or path.startswith(f"{root}/")


def _keep_or_end(
    request: HttpRequest, response: HttpResponse, session: sessions.Session | None, *, secure: bool
) -> None:
    """Whoever signed in or out just now has seen to the cookie already."""
    if sessions.COOKIE not in response.cookies:
        if session is not None and sessions.is_stale(request):
            sessions.keep(response, session, secure=secure)
        elif session is None and sessions.COOKIE in request.COOKIES:
            sessions.end(response)
    if secure:
        for cookie in response.cookies.values():
            cookie["secure"] = True


def _dressed(response: HttpResponse) -> HttpResponse:
    for name, value in _HEADERS.items():
        response[name] = value
    return response
