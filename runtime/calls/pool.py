"""Kept connections to other services: one question, one whole answer, within a time, or Unavailable."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import ClosedPoolError, ConnectTimeoutError, EmptyPoolError, NewConnectionError

from contracts._base import DeadlineExceeded, Unavailable
from runtime.calls.manners import LARGEST_ANSWER

_CONNECT_SECONDS = 2.0
"""A neighbour that is up accepts at once; one whose packets vanish must not take all the time there is."""
_KEPT = 32
"""Connections to one address that are kept: as many as threads may ask at once."""
_PIECE = 65_536
_NEVER_SENT = (NewConnectionError, ConnectTimeoutError, EmptyPoolError, ClosedPoolError)


class AnswerTooLarge(RuntimeError):
    """The answer is larger than any honest one. Asking again would give the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    media_type: str
    body: bytes


class Pool:
    """One for a process: a connection that was opened before a fork is the parent's, so a child begins with none."""

    def __init__(self) -> None:
        self._owned: tuple[int, urllib3.PoolManager] = (0, urllib3.PoolManager())

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        """
        No redirect is followed and nothing is tried twice.

        Raises Unavailable, with ``may_have_run`` false where nothing was sent, and AnswerTooLarge.
        """
        if seconds <= 0:
            raise DeadlineExceeded
        until = time.monotonic() + seconds
        try:
            answer = self._manager.request(
                "POST",
                url,
                body=body,
                headers=dict(headers),
                timeout=urllib3.Timeout(connect=min(seconds, _CONNECT_SECONDS), read=seconds),
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
            content = _read(answer, until=until)
        except _NEVER_SENT as error:
            raise unavailable(f"no connection: {type(error).__name__}", may_have_run=False) from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise unavailable(f"no answer: {type(error).__name__}", may_have_run=True) from error
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Answer(status=answer.status, media_type=media_type, body=content)

    @property
    def _manager(self) -> urllib3.PoolManager:
        process, manager = self._owned
        if process != os.getpid():
            manager = urllib3.PoolManager(maxsize=_KEPT)
            self._owned = os.getpid(), manager
        return manager


POOL = Pool()


def unavailable(why: str, *, may_have_run: bool) -> Unavailable:
    error = Unavailable(why)
    error.may_have_run = may_have_run
    return error


def _read(answer: urllib3.BaseHTTPResponse, *, until: float) -> bytes:
    """The whole body. One that is cut short or too slow is no answer, and its connection is not used again."""
    body = bytearray()
    try:
        while piece := _next_piece(answer, until=until):
            body += piece
            if len(body) > LARGEST_ANSWER:
                raise AnswerTooLarge(f"the answer is larger than {LARGEST_ANSWER:,} bytes")
    except BaseException:
        answer.close()
        raise
    answer.release_conn()
    return bytes(body)


def _next_piece(answer: urllib3.BaseHTTPResponse, *, until: float) -> bytes:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the answer came too slowly")
    connection: Any = answer.connection
    if connection is not None and connection.sock is not None:
        # A byte now and then would begin the read timeout anew each time.
        connection.sock.settimeout(left)
    return answer.read1(_PIECE)
