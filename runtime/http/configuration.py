"""
``GET /internal/config`` and ``/internal/config/{key}``: the values that change, for services that do not host them.

Answers with an ETag, of the version of all values. Whoever shows it again (If-None-Match) is answered 304, with
``?wait=`` not before there is news or so many seconds are over. There are few places to wait, so that web threads do
not run out; who finds none is answered at once. ``Config-Waited`` says which it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from runtime.databases.transactions import is_outage
from runtime.dynconf import store
from runtime.dynconf.declared import UnknownValue, require
from runtime.dynconf.values import Snapshot, await_news, current
from runtime.http.problem import Problem
from runtime.http.problems import problem_response
from runtime.http.services import require_service
from runtime.resilience import Bulkhead
from runtime.resilience.bulkhead import BulkheadFull

__all__ = ["leave_when", "one_value", "values"]

_LONGEST_WAIT = 30
_WAIT = re.compile(r"[0-9]{1,4}", re.ASCII)

_leaving: Callable[[], bool] = lambda: False  # noqa: E731 - replaced by leave_when


def leave_when(leaving: Callable[[], bool]) -> None:
    """Nobody is kept waiting by a process that is about to end."""
    global _leaving
    _leaving = leaving


def values(request: HttpRequest) -> HttpResponse:
    """``{"version": 7, "values": {"orders.budget": "2s"}}``: what was changed; the rest is at its default."""
    try:
        _let_in(request)
        waited = _wait(request)
        found = _read()
        if request.headers.get("If-None-Match") == found.tag:
            response = HttpResponse(status=304)
        else:
            response = JsonResponse({"version": found.version, "values": dict(found.texts)})
    except Problem as problem:
        return problem_response(problem, request=request)
    response["ETag"] = found.tag
    response["Config-Waited"] = "1" if waited else "0"
    return response


def one_value(request: HttpRequest, key: str) -> HttpResponse:
    """One value as it is here, with what it may be."""
    try:
        _let_in(request)
        try:
            each = require(key)
        except UnknownValue as error:
            raise Problem(404, error.code, error.detail) from None
        found = _read()
    except Problem as problem:
        return problem_response(problem, request=request)
    default = each.shown(each.initial())
    answer: dict[str, Any] = {
        "key": key,
        "value": found.texts.get(key, default),
        "default": default,
        "kind": each.kind.name,
        "least": each.least,
        "most": each.most,
        "description": each.description,
        "version": found.version,
    }
    response = JsonResponse(answer)
    response["ETag"] = found.tag
    return response


def _let_in(request: HttpRequest) -> None:
    """Raises Problem for anybody but a service, and where the values are somebody else's."""
    if request.method not in ("GET", "HEAD"):
        raise Problem(405, "method_not_allowed", f"{request.method} is not answered here.", headers={"Allow": "GET"})
    domain = settings.DYNAMIC_DOMAIN
    require_service(request, domain=domain)
    if domain not in settings.HOSTED_DOMAINS:
        raise Problem(421, "not_hosted", f"{domain} is not hosted here.")


def _wait(request: HttpRequest) -> bool:
    """Whether it was waited, or need not be."""
    text = request.GET.get("wait", "0")
    if not _WAIT.fullmatch(text):
        raise Problem(400, "bad_wait", "wait is a whole number of seconds.")
    known = current()
    if request.headers.get("If-None-Match") != known.tag or text == "0":
        return False
    try:
        with _places():
            await_news(known, seconds=min(int(text), _LONGEST_WAIT), leaving=_leaving)
    except BulkheadFull:
        return False
    return not _leaving()


@cache
def _places() -> Bulkhead:
    return Bulkhead(name="news of values", places=settings.DYNAMIC_WAITERS)


def _read() -> Snapshot:
    """Raises Problem where the database is out of reach."""
    try:
        return store.read()
    except Exception as error:
        if not is_outage(error):
            raise
        raise Problem(503, "unavailable", "The values cannot be read now.", headers={"Retry-After": "5"}) from error
