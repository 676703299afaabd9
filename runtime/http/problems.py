"""
The one place where an error becomes an answer: ``application/problem+json`` (RFC 9457).

``code`` is stable and made for programs; ``detail`` is for people; ``errors`` points into the body (RFC 6901). The type
is always about:blank, so ``title`` is the status in words (RFC 9457, 4.2.1) and ``code`` is what to switch on.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core import signals
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db.utils import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.encoding import escape_uri_path
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import exceptions

from contracts._base import ContractError, Money, Rejected, Unavailable
from runtime.databases.keyset import BadCursor
from runtime.http.problem import Problem, field_error, parameter_problem
from runtime.http.wire import camel, money_to_wire

__all__ = ["Problem", "exception_handler", "field_error", "parameter_problem", "problem_response"]

log = logging.getLogger(__name__)

_RETRY_SECONDS = 5
_MOST_ERRORS = 100
"""More field errors than this help nobody, and would let a small body ask for a large answer."""


def problem_response(problem: Problem, *, request: HttpRequest) -> HttpResponse:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": escape_uri_path(request.path),
        "code": problem.code,
        **{camel(name): _plain(value) for name, value in problem.members.items()},
    }
    headers = dict(problem.headers)
    if problem.status == HTTPStatus.UNAUTHORIZED:  # RFC 9110, 15.5.2: never without a challenge
        headers.setdefault("WWW-Authenticate", 'Bearer realm="mitosis"')
    return JsonResponse(body, status=problem.status, headers=headers, content_type="application/problem+json")


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's EXCEPTION_HANDLER: whatever a view raised, as a problem."""
    view, request = context["view"], _django_request(context["request"])
    problem = problem_of(error, statuses=getattr(view, "problem_status", {}))
    _report(error, problem, request)
    response = problem_response(problem, request=request)
    response._has_been_logged = True  # type: ignore[attr-defined]  # else Django writes a second line
    return response


def problem_of(error: Exception, *, statuses: Mapping[type[Rejected], int]) -> Problem:
    """What this error is to the caller. What nobody foresaw is a 500 that says nothing."""
    match error:
        case Problem():
            return error
        case exceptions.APIException():
            return _from_rest_framework(error)
        case ContractError():
            return _from_contract(error, statuses)
        case BadCursor():
            return parameter_problem("cursor", "invalid_cursor", str(error))
        case Http404():
            return Problem(404, "not_found", "There is nothing here.")
        case PermissionDenied():
            return Problem(403, "permission_denied", "This is not allowed.")
        case RequestDataTooBig():
            return Problem(413, "body_too_large", "The body is too large.")
        case SuspiciousOperation():
            return Problem(400, "bad_request", "The request cannot be understood.")
        case OperationalError() | InterfaceError():
            return _unavailable("database_unavailable", "The database cannot answer now. Try again.")
        case _:
            return Problem(500, "internal_error", "Something went wrong on our side.")


# --- One kind of error each -----------------------------------------------------------------------------------------


def _from_rest_framework(error: exceptions.APIException) -> Problem:
    headers = {"WWW-Authenticate": value} if (value := getattr(error, "auth_header", None)) else {}
    if isinstance(error, exceptions.ValidationError):
        return _from_validation(error)
    if isinstance(error, exceptions.UnsupportedMediaType):
        headers["Accept"] = "application/json"
    if error.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(_RETRY_SECONDS)
    code = error.get_codes()
    return Problem(
        error.status_code, code if isinstance(code, str) else "bad_request", str(error.detail), headers=headers
    )


def _from_validation(error: exceptions.ValidationError) -> Problem:
    errors = [
        field_error(_pointer(fault.attr), fault.code, fault.detail)
        for fault in flatten_errors(error.detail)[:_MOST_ERRORS]
    ]
    return Problem(400, "validation_failed", "The body is not as it should be: see errors.", errors=errors)


def _pointer(attr: str | None) -> str:
    """From drf-standardized-errors' path, whose separator is set to "/"; an object's own error points to the object."""
    parts = (attr or "").split("/")
    if parts[-1] == "non_field_errors":
        parts.pop()
    return "".join(f"/{part}" for part in parts if part)


def _from_contract(error: ContractError, statuses: Mapping[type[Rejected], int]) -> Problem:
    if isinstance(error, Unavailable):
        return _unavailable(error.code, error.detail)
    status = next((statuses[kind] for kind in type(error).__mro__ if kind in statuses), HTTPStatus.CONFLICT)
    members = {name: value for name, value in error.data.items() if name not in _RESERVED}
    return Problem(status, error.code, error.detail, **members)


_RESERVED = frozenset({"type", "title", "status", "detail", "instance", "code", "headers"})


def _unavailable(code: str, detail: str) -> Problem:
    return Problem(503, code, detail, headers={"Retry-After": str(_RETRY_SECONDS)})


def _plain(value: Any) -> Any:
    """Whatever an error says about itself, as JSON can say it."""
    if isinstance(value, Money):
        return money_to_wire(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {camel(field.name): _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value


# --- Telling us -----------------------------------------------------------------------------------------------------


def _report(error: Exception, problem: Problem, request: HttpRequest) -> None:
    """A bug goes to the log with its traceback, an outage in one line; what the caller did wrong is not our news."""
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        signals.got_request_exception.send(sender=None, request=request)
        log.error("%s %s failed", request.method, request.path, exc_info=error)
    elif problem.status > HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("%s %s: %s (%s)", request.method, request.path, problem.code, error)


def _django_request(request: Any) -> HttpRequest:
    found: HttpRequest = getattr(request, "_request", request)
    return found


# --- What Django answers outside of any view (config/urls.py names these) -------------------------------------------


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    known = exception if isinstance(exception, SuspiciousOperation) else SuspiciousOperation()
    return problem_response(problem_of(known, statuses={}), request=request)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(problem_of(PermissionDenied(), statuses={}), request=request)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(problem_of(Http404(), statuses={}), request=request)


def handler500(request: HttpRequest) -> HttpResponse:
    return problem_response(problem_of(Exception(), statuses={}), request=request)
