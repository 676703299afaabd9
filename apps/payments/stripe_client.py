"""
How the SDK of Stripe speaks HTTP here: within the time that the caller has, over connections that are kept but never
shared with a forked process, following nobody elsewhere and reading no more than an answer can be.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import stripe
import urllib3
from opentelemetry.trace import SpanKind

from runtime.calls.connections import AnswerTooLarge, Connections
from runtime.telemetry.spans import span

# It would tell of this machine, and leave a file in somebody's home for that.
stripe.enable_telemetry = False
# It would write down each question, and what it is told in words.
logging.getLogger("stripe").setLevel(logging.WARNING)

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
        self._connections = Connections(
            kept=places,
            connect_seconds=_CONNECT,
            largest=LARGEST_ANSWER,
            num_pools=2,
            ca_certs=stripe.ca_bundle_path,
        )

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
        # No address: it ends with ids of Stripe's, and may ask for something by what a customer wrote.
        told = {"http.request.method": method.upper(), "server.address": urlsplit(url).hostname or ""}
        with span(method.upper(), kind=SpanKind.CLIENT, attributes=told) as asking:
            try:
                answer = self._connections.ask(method, url, body=post_data, headers=headers or {}, seconds=left)
                asking.set_attribute("http.response.status_code", answer.status)
                return answer.body.decode(), answer.status, answer.headers
            except (urllib3.exceptions.HTTPError, OSError, UnicodeError, AnswerTooLarge) as error:
                raise _no_answer(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        self._connections.close()


def _no_answer(why: str) -> stripe.APIConnectionError:
    return stripe.APIConnectionError(why)  # type: ignore[no-untyped-call]
