"""
What travels between a caller and a callee in two processes, written and read in one place so that both sides agree.

A call is a POST to ``/internal/contracts/{domain}/{method}`` with the arguments by name as a JSON object. Beside them,
as headers, goes the ambient part of the call. A value comes back as 200; an error of the contract as a problem (RFC
9457) that names its kinds, the nearest first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from contracts import _base
from contracts._base import ContractError, DeadlineExceeded, Rejected, Superseded, Unavailable
from runtime.calls.context import Call, Lease
from runtime.http.problem import Problem

PATH = "/internal/contracts/{domain}/{method}"

DEADLINE = "Call-Deadline"
"""Milliseconds that are left; clocks of two machines are never compared."""
LEASE = "Call-Lease"
"""The lease's id and epoch, with a semicolon between."""
USER = "Call-User"
"""The signed-in user's own access token, where there is one."""

_MILLISECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_LEASE = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12});([0-9]{1,9})", re.ASCII)

_STATUS: Mapping[type[ContractError], int] = {Superseded: 410, DeadlineExceeded: 504, Unavailable: 503, Rejected: 409}
"""Of the first that fits. A kind that is none of these is refused as Rejected is."""


# --- The ambient part -----------------------------------------------------------------------------------------------


def headers_of(call: Call, *, seconds: float) -> dict[str, str]:
    """``seconds``: how long the caller waits. Rounded down: a callee never believes it has more."""
    headers = {DEADLINE: str(int(seconds * 1000))}
    if call.lease is not None:
        headers[LEASE] = f"{call.lease.id};{call.lease.epoch}"
    return headers


def seconds_of(headers: Mapping[str, str]) -> float | None:
    """Raises Problem."""
    text = headers.get(DEADLINE)
    if text is None:
        return None
    if not _MILLISECONDS.fullmatch(text):
        raise Problem(400, "bad_deadline", f"{DEADLINE} is a whole number of milliseconds.")
    return int(text) / 1000


def lease_of(headers: Mapping[str, str]) -> Lease | None:
    """Raises Problem."""
    text = headers.get(LEASE)
    if text is None:
        return None
    if not (found := _LEASE.fullmatch(text)):
        raise Problem(400, "bad_lease", f"{LEASE} is an id and an epoch, with a semicolon between.")
    return Lease(id=UUID(found[1]), epoch=int(found[2]))


# --- Errors ---------------------------------------------------------------------------------------------------------


def problem_of(error: ContractError) -> Problem:
    """A contract's error as an answer. Its facts have to be plain JSON already."""
    kinds = [kind.code for kind in type(error).__mro__ if issubclass(kind, ContractError) and kind is not ContractError]
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 409)
    return Problem(
        status,
        error.code,
        error.detail,
        kinds=list(dict.fromkeys(kinds)),
        data=error.data,
        may_have_run=error.may_have_run,
    )


def error_of(body: Mapping[str, Any], *, status: int, known: Mapping[str, type[ContractError]]) -> ContractError | None:
    """
    The contract's error that this problem is, None where it is none.

    A callee that is newer than we are may have errors that we do not know: the nearest of its kinds that we do is
    taken.
    """
    kinds, data = body.get("kinds"), body.get("data")
    if not isinstance(kinds, list):
        return None
    kind = next((known[code] for code in kinds if isinstance(code, str) and code in known), None)
    if kind is None:
        kind = next((kind for kind, its in _STATUS.items() if its == status), Rejected)
    # By its base's constructor: that of a kind may want arguments that did not travel.
    error = kind.__new__(kind)
    ContractError.__init__(error, str(body.get("detail") or ""))
    error.data = data if isinstance(data, dict) else {}
    error.may_have_run = body.get("mayHaveRun") is True
    return error


def errors_of(protocol: type) -> dict[str, type[ContractError]]:
    """By code: the errors of the module that the Protocol stands in, and those that every call may answer."""
    declared = {**vars(_base), **vars(sys.modules[protocol.__module__])}.values()
    return {
        value.code: value
        for value in declared
        if isinstance(value, type) and issubclass(value, ContractError) and value is not ContractError
    }
