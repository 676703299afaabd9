"""The first operator's e-mail and password."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.embedded.state import read_json, write_json

DEFAULT_EMAIL = "operator@example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLogin:
    """``kept_in`` names the file that holds a generated password; ``is_new`` tells that it was generated just now."""

    email: str
    password: str
    kept_in: Path | None = None
    is_new: bool = False


def operator_login(state: Path, environ: Mapping[str, str]) -> OperatorLogin:
    """
    OPERATOR_EMAIL and OPERATOR_PASSWORD; what is missing is generated once and kept in operator.json.

    Raises StateUnusable.
    """
    email, password = environ.get("OPERATOR_EMAIL"), environ.get("OPERATOR_PASSWORD")
    if email and password:
        return OperatorLogin(email=email, password=password)
    path = state / "operator.json"
    kept = read_json(path) or {}
    wanted = {
        "email": email or kept.get("email") or DEFAULT_EMAIL,
        "password": password or kept.get("password") or secrets.token_urlsafe(12),
    }
    if wanted != kept:
        write_json(path, wanted)
    return OperatorLogin(**wanted, kept_in=path, is_new=wanted["password"] != kept.get("password"))
