"""
On whose behalf the running code works: the signed-in user of the request, here and in whatever service it calls.

A call carries the user's own token beside the caller's, and the callee checks it by itself: no service is believed when
it says who a user is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from runtime.identity.principal import Principal

__all__ = ["current_user", "current_user_token", "speaking_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speaker:
    principal: Principal
    token: str = field(repr=False)


_speaker: ContextVar[_Speaker | None] = ContextVar("speaker", default=None)


def current_user() -> Principal | None:
    """The user whose token was verified; None for work that nobody waits for (workers, timers)."""
    speaker = _speaker.get()
    return speaker.principal if speaker else None


def current_user_token() -> str | None:
    """What a call to another service carries."""
    speaker = _speaker.get()
    return speaker.token if speaker else None


@contextmanager
def speaking_for(principal: Principal, *, token: str) -> Iterator[None]:
    """Everything inside is done for this user, whose token has been verified."""
    outer = _speaker.set(_Speaker(principal=principal, token=token))
    try:
        yield
    finally:
        _speaker.reset(outer)
