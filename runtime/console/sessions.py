"""
The console's session: a signed cookie and no row anywhere, so that every process can read it.

It is signed, not encrypted, with a key of its own. It ends eight hours after the sign-in, an hour after the last page,
or when users no longer knows its version. Signing out deletes the cookie; a copy made of it before ends no sooner.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import force_bytes

from runtime.codec import NotDecodable, from_plain, to_plain

__all__ = ["COOKIE", "Session", "end", "is_stale", "keep", "read"]

COOKIE = "console"
LONGEST = 8 * 3600
IDLE = 3600
_FRESH = 60
"""Within so many seconds after the last page the cookie is not written again. Seconds, as the two before."""

_SALT = "runtime.console.sessions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """``version`` is users' mark for the password and roles of then; ``began`` is Unix time; ``name`` is only shown."""

    user_id: UUID
    version: str
    name: str
    began: int


def read(request: HttpRequest) -> Session | None:
    """The session in the request's cookie; None where there is none, or it is forged, altered or over."""
    try:
        plain = signing.loads(
            request.COOKIES.get(COOKIE, ""), key=_key(), salt=_SALT, max_age=IDLE, fallback_keys=_fallback_keys()
        )
        session: Session = from_plain(plain, Session)
    except (signing.BadSignature, NotDecodable):
        return None
    return session if time.time() < session.began + LONGEST else None


def is_stale(request: HttpRequest) -> bool:
    """Whether the cookie is old enough to be written again: so that idling is counted from the last page."""
    try:
        signing.loads(request.COOKIES.get(COOKIE, ""), key=_key(), salt=_SALT, max_age=_FRESH)
    except signing.BadSignature:
        return True
    return False


def keep(response: HttpResponse, session: Session, *, secure: bool) -> None:
    """``secure``: only ever sent back over https."""
    response.set_cookie(
        COOKIE,
        signing.dumps(to_plain(session, Session), key=_key(), salt=_SALT),
        max_age=IDLE,
        path=settings.CONSOLE_PATH,
        secure=secure,
        httponly=True,
        samesite="Lax",
    )


def end(response: HttpResponse) -> None:
    response.delete_cookie(COOKIE, path=settings.CONSOLE_PATH, samesite="Lax")


def _key(secret: str | bytes | None = None) -> str:
    """Not the key that signs tokens, nor Django's own: what one of them signs is nothing to the others."""
    return hmac.new(force_bytes(secret or settings.SECRET_KEY), _SALT.encode(), hashlib.sha256).hexdigest()


def _fallback_keys() -> list[str | bytes]:
    return [_key(secret) for secret in settings.SECRET_KEY_FALLBACKS]
