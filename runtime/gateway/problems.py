"""The gateway's own answers, worded as the processes behind it word theirs: RFC 9457, and the same codes."""

from __future__ import annotations

import json
from http import HTTPStatus

__all__ = ["BY_HAPROXY", "RETRY_SECONDS", "files", "problem_file"]

RETRY_SECONDS = 5
"""What a client is told to wait where nobody knows how long it takes."""

_DETAILS = {
    "unusable_text": (400, "The address has a NUL in it or is not UTF-8."),
    "bad_request": (400, "The request cannot be understood."),
    "invalid_token": (401, "The access token is malformed, expired, or not signed by us."),
    "not_found": (404, "There is nothing here."),
    "method_not_allowed": (405, "%[method,json(utf8s)] is not answered here."),
    "request_timeout": (408, "The request did not arrive in time."),
    "body_too_large": (413, "The body is too large."),
    "rate_limited": (429, "Too many requests. Try again later."),
    "internal_error": (500, "Something went wrong on our side."),
    "bad_gateway": (
        502,
        "The answer broke off. The request may have been carried out: look, or use the same key again.",
    ),
    "%[var(txn.domain)]_unavailable": (503, "This part of the shop cannot answer now. Try again."),
    "gateway_timeout": (
        504,
        "No answer came in time. The request may have been carried out: look, or use the same key again.",
    ),
}
"""By code; what stands in %[...] HAProxy puts in for each request."""

BY_HAPROXY = {
    400: "bad_request",
    408: "request_timeout",
    413: "body_too_large",
    500: "internal_error",
    502: "bad_gateway",
    503: "%[var(txn.domain)]_unavailable",
    504: "gateway_timeout",
}
"""What HAProxy answers by itself, by status."""

_WITHOUT_ADDRESS = frozenset({"bad_request", "request_timeout"})
"""Told of requests whose address may never have been read."""


def problem_file(code: str) -> str:
    """Where the answer with this code stands, below the gateway's folder."""
    return f"problems/{code.rpartition(']_')[2]}.json"


def files() -> dict[str, str]:
    """Every answer, in HAProxy's log format, by its file."""
    return {problem_file(code): _worded(code, status, detail) for code, (status, detail) in _DETAILS.items()}


def _worded(code: str, status: int, detail: str) -> str:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if code not in _WITHOUT_ADDRESS:
        body["instance"] = "%[var(txn.instance)]"
    return json.dumps({**body, "code": code})
