"""
Access tokens: RS256 and nothing else, fifteen minutes, checked against known keys only (RFC 8725).

simplejwt makes and checks the token; what it leaves open is closed here: the header names its key (kid), each claim
that we rely on is required, and no header of a token ever chooses where a key comes from.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import jwt
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import AccessToken as SimpleAccessToken

from runtime.identity.keys import signing_key, verifying_key
from runtime.identity.principal import Principal

__all__ = ["ACCESS_SECONDS", "BadToken", "MayNotSign", "issue", "verify", "verify_carried"]

ALGORITHM = "RS256"
ISSUER = "mitosis"
AUDIENCE = "mitosis-api"
ACCESS_SECONDS = 15 * 60
_LEEWAY_SECONDS = 10
"""How far two machines' clocks may differ."""
_CARRIED_SECONDS = 60
"""Whoever was let in at the door is let finish: a token may expire on the way from service to service."""
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "jti"]


class BadToken(Exception):
    """The token is malformed, expired, not for us, or not signed with one of our keys."""


class MayNotSign(Exception):
    """This process holds no signing key, so it cannot issue tokens: only the users service can."""


class Rs256Backend(TokenBackend):
    """simplejwt's backend with a kid in the header, keys chosen by that kid alone, and every claim required."""

    def __init__(self, *, leeway: int = _LEEWAY_SECONDS) -> None:
        super().__init__(ALGORITHM, issuer=ISSUER, audience=AUDIENCE, leeway=leeway)
        self._leeway = leeway

    def encode(self, payload: dict[str, Any]) -> str:
        key = signing_key()
        if key is None:
            raise MayNotSign
        claims = {**payload, "iss": self.issuer, "aud": self.audience}
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                _chosen_key(token),
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                leeway=self._leeway,
                options={"require": _REQUIRED, "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenBackendError("Token is invalid") from error


def _chosen_key(token: Any) -> Any:
    """Only ``kid`` is read, and only to look it up among ours; jku, jwk, x5u and x5c are never looked at."""
    kid = jwt.get_unverified_header(token).get("kid")
    key = verifying_key(kid) if isinstance(kid, str) else None
    if key is None:
        raise jwt.InvalidKeyError("the token is signed with a key that is not ours")
    return key


class AccessToken(SimpleAccessToken):
    """Who somebody is and which roles they have, for fifteen minutes. Says nothing personal."""

    token_type = "access"  # noqa: S105 - a claim's value, not a secret
    lifetime = datetime.timedelta(seconds=ACCESS_SECONDS)
    _token_backend = Rs256Backend()


class CarriedToken(AccessToken):
    """The same, as one service hands it to the next."""

    _token_backend = Rs256Backend(leeway=_CARRIED_SECONDS)


def issue(*, user_id: UUID, roles: Sequence[str]) -> str:
    """A signed access token. Raises MayNotSign."""
    token = AccessToken()
    token["sub"] = str(user_id)
    token["roles"] = list(roles)
    return str(token)


def verify(token: str) -> Principal:
    """Who this access token speaks for. Raises BadToken."""
    return _speaks_for(token, AccessToken)


def verify_carried(token: str) -> Principal:
    """The same of a token that another service was given, and that may have expired since. Raises BadToken."""
    return _speaks_for(token, CarriedToken)


def _speaks_for(token: str, kind: type[AccessToken]) -> Principal:
    try:
        claims = kind(token).payload  # type: ignore[arg-type]  # simplejwt takes the encoded text here
        user_id = UUID(claims["sub"])
    except (TokenError, ValueError, OverflowError) as error:
        raise BadToken from error
    roles = claims.get("roles")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise BadToken
    return Principal(id=str(user_id), roles=tuple(roles))
