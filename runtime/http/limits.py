"""
How often one client may ask: the one place that counts requests.

Somebody who is not signed in (or whose token is bad) is counted by address, ``limits.anonymous``; a signed-in user by
id, ``limits.user``, where the request leads somewhere: a gateway answers by itself what does not, and cannot count it
for the processes behind. Whoever works for the shop, and services, are not counted. Headers as in
draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import is_valid_path

from runtime.dynconf import value
from runtime.http.addresses import client_network
from runtime.http.counters import Count, counters, parse_limit
from runtime.http.problem import Problem
from runtime.http.problems import problem_response
from runtime.identity.authentication import caller_of

__all__ = ["LimitsMiddleware", "rate_limited"]


class LimitsMiddleware:
    """Exempt: what RATE_LIMIT_EXEMPT names, path prefixes that end where a part of the path ends."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        # A limit that cannot be read stops the start, not the first request.
        parse_limit(settings.RATE_LIMIT_ANONYMOUS)
        parse_limit(settings.RATE_LIMIT_USER)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        counted = None if _is_exempt(request.path) else _count(request)
        if counted is None:
            return self._get_response(request)
        name, count = counted
        if count.exceeded:
            response = problem_response(rate_limited(count.resets_in), request=request)
        else:
            response = self._get_response(request)
        response["RateLimit-Policy"] = f'"{name}";q={count.limit.quota};w={count.limit.seconds}'
        response["RateLimit"] = f'"{name}";r={count.remaining};t={count.resets_in}'
        return response


def rate_limited(retry_after: int, detail: str = "Too many requests. Try again later.") -> Problem:
    """429, with when to try again, in seconds."""
    return Problem(429, "rate_limited", detail, headers={"Retry-After": str(retry_after)})


def _count(request: HttpRequest) -> tuple[str, Count] | None:
    """The policy's name and where its counter stands; None for whoever is not counted."""
    caller = caller_of(request)
    if caller is None:
        name, who, text = "anonymous", client_network(request), _anonymous()
    elif caller.kind == "service" or caller.is_staff or _leads_nowhere(request):
        return None
    else:
        name, who, text = "user", caller.id, value("limits.user")
    limit = parse_limit(text)
    return None if limit is None else (name, counters().count(f"{name}/{who}", limit))


def _anonymous() -> str:
    """What the environment has off is counted by whoever stands in front; one place counts, whatever is changed."""
    return "off" if settings.RATE_LIMIT_ANONYMOUS == "off" else str(value("limits.anonymous"))


def _leads_nowhere(request: HttpRequest) -> bool:
    return not is_valid_path(request.path_info, getattr(request, "urlconf", None))


def _is_exempt(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in settings.RATE_LIMIT_EXEMPT)
