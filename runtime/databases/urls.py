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


def has_password(url: str) -> bool:
    return bool(_split(url).password)


def without_password(url: str) -> str:
    """The same server, database and role, for people."""
    parts = urlsplit(url)
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{user}@{host}" if user else host, parts.path, "", ""))


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
    # A password that holds / ? or # and is not quoted pushes the host out of its place.
    misplaced = "@" in f"{parts.path}{parts.query}{parts.fragment}"
    if parts.scheme not in _SCHEMES or not parts.path.strip("/") or misplaced or not _has_good_port(parts):
        # Only what follows the last @ is shown: what stands before it may be a password, wherever it landed.
        shown = f"…@{url.rpartition('@')[2]}" if "@" in url else parts.scheme
        raise BadDatabaseUrl(
            f"{shown!r} does not look like postgresql://user:password@host:port/name (quote / ? # @ in a password)"
        )
    return parts


_SCHEMES = frozenset({"postgresql", "postgres"})


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False
