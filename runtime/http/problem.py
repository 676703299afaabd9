"""An answer that is an error, as code raises it; problems.py turns it into HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Problem", "field_error", "parameter_problem"]


class Problem(Exception):
    """
    An answer that is an error: ``raise Problem(404, "order_unknown", "There is no such order.")``.

    Further keyword arguments become members of the answer, in camelCase; ``headers`` become headers.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members


def field_error(pointer: str, code: str, detail: str) -> dict[str, str]:
    """One of ``errors``: ``field_error("/items/0/sku", "unknown_sku", "There is no such product.")``."""
    return {"pointer": pointer, "detail": detail, "code": code}


def parameter_problem(name: str, code: str, detail: str) -> Problem:
    """400 for one query parameter, which ``errors`` names as ``parameter`` (a pointer is for bodies only)."""
    return Problem(400, code, detail, errors=[{"parameter": name, "detail": detail, "code": code}])
