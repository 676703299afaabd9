"""How a domain's roles log in: one administrator's URL gives every role its own."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit


class BadDatabaseUrl(ValueError):
    """A database URL looks like postgresql://user:password@host:port/name."""


def role_password(role: str, secret_key: str) -> str:
    """HMAC-SHA256(SECRET_KEY, role), in hexadecimal: the same for every process that shares the secret."""
    return hmac.new(secret_key.encode(), role.encode(), hashlib.sha256).hexdigest()


def role_url(url: str, role: str, secret_key: str) -> str:
    """The same server and database, entered as this role with its derived password."""
    parts = _split(url)
    login = f"{quote(role, safe='')}:{role_password(role, secret_key)}"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{login}@{host}", parts.path, parts.query, ""))


def url_user(url: str) -> str:
    return unquote(_split(url).username or "")


def connection_settings(url: str) -> dict[str, Any]:
    """The URL as Django's HOST, PORT, NAME, USER and PASSWORD; its query as OPTIONS."""
    parts = _split(url)
    options = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    return {
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "OPTIONS": {key: unquote(value) for key, value in options.items()},
    }


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        without_login = f"{parts.scheme}://…@{parts.netloc.rpartition('@')[2]}{parts.path}"
        raise BadDatabaseUrl(f"{without_login!r} does not look like postgresql://user:password@host:port/name")
    return parts
