"""What goes wrong at the console, as a page for people."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus

from django.contrib import admin
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from contracts._base import Unavailable
from runtime.databases.transactions import is_outage

__all__ = [
    "NOBODY_SIGNED_IN",
    "away",
    "csrf_failure",
    "error_page",
    "for_people",
    "nobody_known",
    "page_for",
    "unavailable",
]

log = logging.getLogger(__name__)

_WHERE_TO_LOOK = "/health/ready says which processes are away, and their logs say why."

NOBODY_SIGNED_IN = (
    "Nobody can be signed in now: users, which knows who you are, cannot be asked. Try again in a moment. If it stays "
    f"so: {_WHERE_TO_LOOK}"
)


def error_page(
    request: HttpRequest, *, status: HTTPStatus, detail: str, title: str = "", again: str = ""
) -> HttpResponse:
    """``again`` is the address that may well answer when it is asked once more."""
    context = {**admin.site.each_context(request), "title": title or status.phrase, "detail": detail, "again": again}
    return render(request, "console/error.html", context, status=status)


def page_for(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """The page for what a view raised; None for a bug, which is nobody's to read but ours."""
    match error:
        case Http404():
            return error_page(request, status=HTTPStatus.NOT_FOUND, detail="There is nothing at this address.")
        case PermissionDenied():
            return error_page(request, status=HTTPStatus.FORBIDDEN, detail="Your roles do not allow this.")
        case SuspiciousOperation():
            return error_page(request, status=HTTPStatus.BAD_REQUEST, detail="The request cannot be understood.")
        case Unavailable():
            return unavailable(request, error)
        case DatabaseError() if is_outage(error):
            return unavailable(request, error)
        case _:
            return None


def for_people(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """An answer made for programs (too many requests, a bug of ours) as a page; any other as it is."""
    if response.headers.get("Content-Type") != "application/problem+json":
        return response
    page = error_page(request, status=HTTPStatus(response.status_code), detail=json.loads(response.content)["detail"])
    for name in ("Retry-After", "RateLimit", "RateLimit-Policy"):
        if name in response.headers:
            page[name] = response[name]
    return page


def unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    log.warning("the console could not answer %s: %s", request.path, error)
    detail = "Something that this page needs cannot be reached now. Nothing was changed. Try again in a moment."
    return _later(error_page(request, status=HTTPStatus.SERVICE_UNAVAILABLE, detail=detail))


def nobody_known(request: HttpRequest, error: Exception) -> HttpResponse:
    """For whoever shows a session, while nobody can be asked whose it is."""
    log.warning("nobody is let in to %s: %s", request.path, error)
    detail = (
        "Users, which knows who you are and what you may do, cannot be asked now. Nothing was changed, and you are "
        f"still signed in. Try again in a moment. If it stays so: {_WHERE_TO_LOOK}"
    )
    title, again = "Nobody is let in now", request.get_full_path()
    return _later(error_page(request, status=HTTPStatus.SERVICE_UNAVAILABLE, detail=detail, title=title, again=again))


def away(request: HttpRequest, *, domain: str) -> HttpResponse:
    """Any page of a domain that is not hosted here: the gateway asks for one where nobody who hosts it is ready."""
    log.warning("%s was asked for of a process that does not host %s", request.path, domain)
    title = f"{domain.capitalize()} cannot be reached"
    context = {
        **admin.site.each_context(request),
        "title": title,
        "again": request.path,
        "sentences": (
            f"This answer comes from a process that does not host {domain}: none that does is ready.",
            "Nothing was changed. The pages of the other domains go on.",
            f"Try again in a moment. If it stays so: {_WHERE_TO_LOOK}",
        ),
    }
    return _later(render(request, "console/away.html", context, status=HTTPStatus.SERVICE_UNAVAILABLE))


def _later(response: HttpResponse) -> HttpResponse:
    response["Retry-After"] = "5"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    log.warning("a form at %s was refused: %s", request.path, reason)
    detail = "This form did not come from a page of ours, or is too old. Nothing was changed. Load the page again."
    return error_page(request, status=HTTPStatus.FORBIDDEN, detail=detail)
