"""
How the SDK of Stripe speaks HTTP here: within the time that the caller has, over connections that are kept but never
shared with a forked process, following nobody elsewhere and reading no more than an answer can be.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import stripe
import urllib3

# It would tell of this machine, and leave a file in somebody's home for that.
stripe.enable_telemetry = False

LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes. A page of a hundred entries is a tenth of it."""

_CONNECT = 3.0
"""Seconds until a connection stands: a server that swallows packets is not there."""

_until: ContextVar[float] = ContextVar("until")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is asked inside has so much time in all."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


class PooledClient(stripe.HTTPClient):
    """
    Implements the SDK's HTTP client. Whatever goes wrong on the way is an APIConnectionError: it may have arrived.

    ``places``: so many connections are kept for the next question.
    """

    name = "urllib3"

    def __init__(self, *, places: int) -> None:
        super().__init__()
        self._places = places
        self._owned: tuple[int, urllib3.PoolManager] = (0, urllib3.PoolManager())

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        left = _until.get() - time.monotonic()
        if left <= 0:
            raise _no_answer("there was no time left to ask")
        try:
            answer = self._pool.request(
                method,
                url,
                body=post_data,
                headers=dict(headers or {}),
                timeout=urllib3.Timeout(connect=min(left, _CONNECT), read=left),
                redirect=False,
                retries=False,
                preload_content=False,
            )
            return _read(answer), answer.status, answer.headers
        except (urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            raise _no_answer(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        self._pool.clear()

    @property
    def _pool(self) -> urllib3.PoolManager:
        """This process's own: a connection that was opened before a fork is the parent's."""
        process, pool = self._owned
        if process != os.getpid():
            pool = urllib3.PoolManager(num_pools=2, maxsize=self._places, ca_certs=stripe.ca_bundle_path)
            self._owned = os.getpid(), pool
        return pool


def _read(answer: urllib3.BaseHTTPResponse) -> str:
    """The whole body. One that is cut short, too large or too slow is no answer."""
    body = bytearray()
    try:
        while chunk := answer.read1(65_536):
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise urllib3.exceptions.HTTPError(f"the answer is larger than {LARGEST_ANSWER:,} bytes")
            if time.monotonic() > _until.get():
                raise urllib3.exceptions.HTTPError("the answer came too slowly")
    except BaseException:
        answer.close()
        raise
    answer.release_conn()
    return body.decode()


def _no_answer(why: str) -> stripe.APIConnectionError:
    return stripe.APIConnectionError(why)  # type: ignore[no-untyped-call]
