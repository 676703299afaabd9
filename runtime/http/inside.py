"""
Two doors: what comes in by the inside port sees the inside's addresses and nothing else, and the other way round.

The port is the socket's own, which no header can claim.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

__all__ = ["InsideMiddleware"]


class InsideMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.INSIDE_PORT is not None and request.META.get("SERVER_PORT") == str(settings.INSIDE_PORT):
            request.urlconf = settings.INSIDE_URLCONF
        return self._get_response(request)
