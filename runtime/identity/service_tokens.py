"""
How one service knows another: a token of its own kind, for one callee, good for a minute.

HS256 with a key made of SERVICE_KEY, which every process of a deployment holds: each of them calls and is called. RS256
would either give all of them the key that makes users' tokens, or have each call depend on the one service that has it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass, field
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
_USED = LIFETIME_SECONDS * 3 // 4
_MOST_VERIFIED = 1024
"""Each calling process has one good token for a domain at a time: these are many processes."""
_AND = "+"
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "jti"]


class BadServiceToken(Exception):
    """The token is malformed, expired, for another domain, not a service's, or not signed with our key."""


def issue(*, audience: str) -> str:
    """
    A token that tells this one domain who is calling: the domains that this process hosts.

    One is used for many calls, for three quarters of its life: what is left outlasts the way there.
    """
    now, name = int(time.time()), _AND.join(settings.HOSTED_DOMAINS)
    known = _issued.get(audience)
    if known is None or known.key != settings.SERVICE_KEY or known.name != name or not 0 <= now - known.at < _USED:
        known = _Issued(token=_new(name, audience, now), key=settings.SERVICE_KEY, name=name, at=now)
        _issued[audience] = known
    return known.token


def verify(token: str, *, audience: str) -> Principal:
    """Which service this token speaks for, to this domain. Raises BadServiceToken."""
    found = (token, audience, settings.SERVICE_KEY)
    known = _verified.get(found)
    # Time only ever makes a good token bad, so that nothing else has to be looked at again.
    if known is not None and known.issued <= time.time() < known.until:
        return known.principal
    good = _verify(token, audience=audience)
    if len(_verified) >= _MOST_VERIFIED:
        _verified.clear()
    _verified[found] = good
    return good.principal


# --- One by one -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issued:
    token: str = field(repr=False)
    key: str = field(repr=False)
    name: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verified:
    principal: Principal
    issued: float
    until: float


_issued: dict[str, _Issued] = {}
_verified: dict[tuple[str, str, str], _Verified] = {}


def _new(name: str, audience: str, now: int) -> str:
    claims = {
        "iss": name,
        "sub": name,
        "aud": audience,
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "jti": uuid4().hex,
    }
    return jwt.encode(claims, _key(), algorithm=ALGORITHM, headers={"typ": TYPE})


def _verify(token: str, *, audience: str) -> _Verified:
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
        issued, expires = int(claims["iat"]), int(claims["exp"])
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadServiceToken from error
    # Whoever speaks signs for itself (RFC 7523, 3); a token that lives long was not made here.
    if kind != TYPE or claims["iss"] != claims["sub"] or expires - issued > LIFETIME_SECONDS:
        raise BadServiceToken
    return _Verified(
        principal=Principal(id=claims["sub"], kind="service"),
        issued=issued - _LEEWAY_SECONDS,
        until=expires + _LEEWAY_SECONDS,
    )


def domains_of(caller: Principal) -> frozenset[str]:
    """The domains that a calling process hosts."""
    return frozenset(caller.id.split(_AND))


def _key() -> bytes:
    """Not SERVICE_KEY itself: what is signed with that elsewhere must be no token."""
    return hmac.new(settings.SERVICE_KEY.encode(), b"service token", hashlib.sha256).digest()
