"""Failed attempts (at a password, at a code) are limited for each account and for each address."""

from __future__ import annotations

import hashlib
from types import TracebackType

from django.conf import settings
from rest_framework.request import Request

from runtime.http.addresses import client_network
from runtime.http.counters import counters, parse_limit
from runtime.http.limits import rate_limited

__all__ = ["Attempts"]


class Attempts:
    """
    ``with Attempts(request, name="sign-in", subject=email, failure=BadCredentials): ...``

    The attempt is counted before it is made (so that a hundred at once are a hundred) and given back unless it raises
    ``failure``. Raises Problem 429 once SIGN_IN_LIMIT is spent, with the right password too. An account that does not
    exist is counted like one that does.
    """

    def __init__(self, request: Request, *, name: str, subject: str, failure: type[Exception]) -> None:
        # Hashed, so that no address of a person stands in the cache.
        account = hashlib.sha256(subject.encode()).hexdigest()
        self._names = [f"{name}/account/{account}", f"{name}/address/{client_network(request._request)}"]
        self._failure = failure
        self._limit = parse_limit(settings.SIGN_IN_LIMIT)

    def __enter__(self) -> None:
        if self._limit is None:
            return
        counts = [counters().count(name, self._limit) for name in self._names]
        exceeded = [count.resets_in for count in counts if count.exceeded]
        if exceeded:
            raise rate_limited(max(exceeded), "Too many failed attempts. Try again later.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._limit is None or isinstance(error, self._failure):
            return
        for name in self._names:
            counters().count(name, self._limit, amount=-1)
