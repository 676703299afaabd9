"""
How one service knows another: a token of its own kind, for one callee, good for a minute.

HS256 with a key made of SERVICE_KEY, which every process of a deployment holds: each of them calls and is called. RS256
would either give all of them the key that makes users' tokens, or have each call depend on the one service that has it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any
from uuid import uuid4

import jwt
from django.conf import settings

from runtime.identity.principal import Principal

__all__ = ["LIFETIME_SECONDS", "BadServiceToken", "domains_of", "issue", "verify"]

ALGORITHM = "HS256"
TYPE = "service+jwt"
"""RFC 8725, 3.11: no other kind of token has it, and this kind has no other."""
LIFETIME_SECONDS = 60
_LEEWAY_SECONDS = 10
_AND = "+"
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "jti"]


class BadServiceToken(Exception):
    """The token is malformed, expired, for another domain, not a service's, or not signed with our key."""


def issue(*, audience: str) -> str:
    """A token that tells this one domain who is calling: the domains that this process hosts."""
    now, name = int(time.time()), _AND.join(settings.HOSTED_DOMAINS)
    claims = {
        "iss": name,
        "sub": name,
        "aud": audience,
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "jti": uuid4().hex,
    }
    return jwt.encode(claims, _key(), algorithm=ALGORITHM, headers={"typ": TYPE})


def verify(token: str, *, audience: str) -> Principal:
    """Which service this token speaks for, to this domain. Raises BadServiceToken."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(),
            algorithms=[ALGORITHM],
            audience=audience,
            leeway=_LEEWAY_SECONDS,
            options={"require": _REQUIRED, "strict_aud": True},
        )
        kind = jwt.get_unverified_header(token).get("typ")
        lifetime = int(claims["exp"]) - int(claims["iat"])
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadServiceToken from error
    # Whoever speaks signs for itself (RFC 7523, 3); a token that lives long was not made here.
    if kind != TYPE or claims["iss"] != claims["sub"] or lifetime > LIFETIME_SECONDS:
        raise BadServiceToken
    return Principal(id=claims["sub"], kind="service")


def domains_of(caller: Principal) -> frozenset[str]:
    """The domains that a calling process hosts."""
    return frozenset(caller.id.split(_AND))


def _key() -> bytes:
    """Not SERVICE_KEY itself: what is signed with that elsewhere must be no token."""
    return hmac.new(settings.SERVICE_KEY.encode(), b"service token", hashlib.sha256).digest()
