"""
Who is at the console: asked of the users contract, wherever users is, and believed for ten seconds.

Where users cannot be asked nobody is let in.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol, cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from contracts._base import Ref, Rejected
from runtime.calls import call, resolve
from runtime.console.models import Operator
from runtime.console.sessions import Session
from runtime.identity.principal import Principal

__all__ = ["NotAdmitted", "forget", "operator_of", "sign_in"]

BELIEVED_SECONDS = 10.0
_MOST_REMEMBERED = 1000
_PATIENCE = 5.0
"""Seconds that users may take to answer."""


class NotAdmitted(Exception):
    """The e-mail address or the password is wrong, or this account may not open the console."""


class Identity(Protocol):
    """What the console needs of the contract that CONSOLE_IDENTITY names."""

    def authenticate(self, *, email: str, password: str) -> Any: ...

    def session(self, *, user_id: UUID, version: str) -> Any: ...


def sign_in(*, email: str, password: str) -> Session:
    """A new session. Raises NotAdmitted, in the same words for every reason, and Unavailable."""
    try:
        with call(seconds=_PATIENCE):
            found = _users().authenticate(email=email, password=password)
    except Rejected:
        raise NotAdmitted from None
    principal = _principal(found.user)
    if not principal.is_staff:
        raise NotAdmitted
    return Session(user_id=principal.user_id, version=found.version, name=email, began=int(time.time()))


def operator_of(session: Session) -> Operator | None:
    """Whoever has this session, if it is still good and they still work for the shop. Raises Unavailable."""
    principal = _remembered.get(session)
    if principal is None:
        try:
            with call(seconds=_PATIENCE):
                principal = _principal(_users().session(user_id=session.user_id, version=session.version))
        except Rejected:
            return None
        _remembered.put(session, principal)
    return Operator.of(principal, name=session.name) if principal.is_staff else None


def forget() -> None:
    """Ask again for everybody."""
    _remembered.clear()


def _users() -> Identity:
    return cast(Identity, resolve(cast(Ref[Any], import_string(settings.CONSOLE_IDENTITY))))


def _principal(user: Any) -> Principal:
    return Principal(id=str(user.id), roles=tuple(user.roles))


class _Remembered:
    """What users said of a session, for as long as it is believed. A no is never remembered."""

    def __init__(self) -> None:
        self._known: dict[tuple[UUID, str], tuple[float, Principal]] = {}
        self._lock = threading.Lock()

    def get(self, session: Session) -> Principal | None:
        until, principal = self._known.get((session.user_id, session.version), (0.0, None))
        return principal if time.monotonic() < until else None

    def put(self, session: Session, principal: Principal) -> None:
        with self._lock:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[session.user_id, session.version] = (time.monotonic() + BELIEVED_SECONDS, principal)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()


_remembered = _Remembered()
