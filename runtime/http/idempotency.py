"""
``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header-07): the same request again gets the same answer again.

400 where the key is missing or odd, 409 while the first is under way, 422 for another body under the same key.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from runtime.http.problem import Problem
from runtime.idempotency.store import Answer, KeyReused, Run, StillRunning, begin, finish, free
from runtime.identity import principal_of

__all__ = [
    "fingerprint",
    "idempotent",
    "in_progress",
    "key_reused",
    "operation_of",
    "read_key",
    "route_of",
    "takes_key",
]

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("Content-Type", "Location", "Retry-After")
_KEPT_REFUSALS = frozenset({402, 403, 404, 409})

type _Method = Callable[..., HttpResponseBase]


def read_key(request: Request) -> str:
    """The request's key: 1 to 255 visible ASCII characters. Raises Problem 400."""
    key = request.headers.get(HEADER, "")
    if not _KEY.fullmatch(key):
        detail = f"This needs an {HEADER} header of 1 to 255 visible ASCII characters."
        raise Problem(400, "idempotency_key_missing", detail)
    return key


def fingerprint(route: str, body: Any) -> str:
    """Equal for equal requests: the order of members and white space make no difference, a cent does."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{route}\n{canonical}".encode()).hexdigest()


def route_of(request: Request) -> str:
    """The method and the URL's pattern: what a key is scoped to, beside its owner."""
    match = request._request.resolver_match
    return f"{request.method} /{match.route if match else request.path}"


def operation_of(request: Request) -> UUID:
    """
    Inside an ``idempotent`` method: the same for every try under this caller, route and key. The method hands it to
    its service as the key of what it does.
    """
    found: UUID = getattr(request, "operation")  # noqa: B009 - set by ``idempotent``, unknown to DRF's types
    return found


def in_progress() -> Problem:
    detail = "The first request with this key has not been answered yet."
    return Problem(409, "idempotency_in_progress", detail, headers={"Retry-After": "1"})


def key_reused() -> Problem:
    return Problem(422, "idempotency_key_reused", "This key was used before, for another request.")


def takes_key[F: Callable[..., Any]](method: F) -> F:
    """Says (to OpenAPI) that this view method wants an Idempotency-Key and sees to it by itself."""
    method.takes_idempotency_key = True  # type: ignore[attr-defined]  # read by runtime.http.schema
    return method


def idempotent(*, using: str) -> Callable[[_Method], _Method]:
    """
    A view method that runs once per caller, route and key; its answer is kept in this alias and given again.

    2xx, 402, 403, 404 and 409 are kept; after anything else the key is free again. The method must hand
    ``operation_of(request)`` to its service as the key of what it does: a run that died after its effect and before
    its answer was kept is run again.
    """

    def decorate(method: _Method) -> _Method:
        @functools.wraps(method)
        def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            begun = _begin(request, using)
            if isinstance(begun, Answer):
                return _replayed(begun)
            request.operation = begun.operation  # type: ignore[attr-defined]
            return _run(view, begun, functools.partial(method, view, request, *args, **kwargs))

        return takes_key(once)

    return decorate


def _begin(request: Request, using: str) -> Run | Answer:
    route = route_of(request)
    try:
        return begin(
            using=using,
            principal=principal_of(request).id,
            route=route,
            key=read_key(request),
            fingerprint=fingerprint(f"{request.method} {request.path}", request.data),
        )
    except StillRunning:
        raise in_progress() from None
    except KeyReused:
        raise key_reused() from None


def _run(view: Any, run: Run, work: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    try:
        response = work()
    except Exception as error:  # turned into its answer here, so that a refusal can be kept as well
        response = view.handle_exception(error)
    if not _is_success(response) and response.status_code not in _KEPT_REFUSALS:
        free(run)
    elif not finish(run, _answer(response)):
        raise in_progress()
    return response


def _is_success(response: HttpResponseBase) -> bool:
    return 200 <= response.status_code < 300


def _answer(response: HttpResponseBase) -> Answer:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    if isinstance(response, Response):
        body = JSONRenderer().render(response.data).decode()
        headers["Content-Type"] = "application/json"  # what it has before it is rendered is Django's default
    else:
        assert isinstance(response, HttpResponse), "an idempotent view streams nothing"
        body = response.content.decode()
    return Answer(status=response.status_code, headers=headers, body=body)


def _replayed(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
    if not answer.body:
        del response["Content-Type"]
    response["Idempotency-Replayed"] = "true"
    return response
