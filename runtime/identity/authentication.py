"""
A request's token is verified once, before anything else asks who is calling.

The middleware remembers the outcome; limits and DRF read it. No Authorization header: nobody. Another scheme than
Bearer, or a bad token: still nobody for the limits, and a 401 at the first view that is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from runtime.identity.keys import may_verify, verifying_keys
from runtime.identity.principal import Principal
from runtime.identity.speaking import speaking_for
from runtime.identity.tokens import BadToken, verify

__all__ = ["BearerAuthentication", "IdentityMiddleware", "caller_of", "identify"]

log = logging.getLogger(__name__)


class IdentityMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        # A key that cannot be used stops the start, not the first request.
        if not may_verify():
            log.warning("this process knows no key to verify tokens with: every token is refused")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        principal, _ = _remember(request)
        token = getattr(request, "_verified_token", None)
        if principal is None or token is None:
            return self._get_response(request)
        with speaking_for(principal, token=token):
            return self._get_response(request)


def caller_of(request: HttpRequest) -> Principal | None:
    """Who is calling; None for nobody and for a bad token."""
    return _remember(request)[0]


def identify(request: HttpRequest, principal: Principal) -> None:
    """This request is known to be somebody's by other means than a token (the console's session)."""
    request._identity = (principal, False)  # type: ignore[attr-defined]  # read by _remember


class InvalidToken(AuthenticationFailed):
    default_detail = "The access token is malformed, expired, or not signed by us."
    default_code = "invalid_token"


class KeysUnavailable(APIException):
    """Nobody can say whether the token is good: no key was ever fetched. A 401 would make people sign in again."""

    status_code = 503
    default_detail = "Tokens cannot be checked now. Try again."
    default_code = "keys_unavailable"


class BearerAuthentication(BaseAuthentication):
    """RFC 6750: ``Authorization: Bearer …``. Missing is anonymous, bad is a 401, and one nobody can check a 503."""

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        principal, bad = _remember(request._request)
        if bad:
            raise InvalidToken if verifying_keys().by_kid or not may_verify() else KeysUnavailable
        return None if principal is None else (principal, "bearer")

    def authenticate_header(self, request: Request) -> str:
        _, bad = _remember(request._request)
        return 'Bearer realm="mitosis", error="invalid_token"' if bad else 'Bearer realm="mitosis"'


def _remember(request: HttpRequest) -> tuple[Principal | None, bool]:
    """The principal, and whether a token was given that cannot be trusted."""
    known = cast(tuple[Principal | None, bool] | None, getattr(request, "_identity", None))
    if known is None:
        header = request.headers.get("Authorization")
        known = _identify(header)
        request._identity = known  # type: ignore[attr-defined]  # ours, and only read here
        if known[0] is not None:
            request._verified_token = _bearer(header)  # type: ignore[attr-defined]  # as above
    return known


def _identify(header: Any) -> tuple[Principal | None, bool]:
    if not header:
        return None, False
    token = _bearer(header)
    if token is None:
        return None, True
    try:
        return verify(token), False
    except BadToken:
        return None, True


def _bearer(header: str | None) -> str | None:
    scheme, _, token = (header or "").partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None
