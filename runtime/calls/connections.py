"""
Kept connections to whoever is far away: one question, one whole answer, within a time and up to a size.

No redirect is followed and nothing is tried twice; whoever asks decides what a failure means.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import urllib3

__all__ = ["Answer", "AnswerTooLarge", "Connections"]

_PIECE = 65_536


class AnswerTooLarge(RuntimeError):
    """The answer is larger than any honest one. Asking again would give the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class Connections:
    """
    One set for a process: a connection that was opened before a fork is the parent's, so a child begins with none.

    ``kept``: so many to one address stay open for the next question. ``connect_seconds``: a server that is up accepts
    at once; one whose packets vanish must not take all the time there is. ``largest``: bytes of an answer. A connection
    that was idle for ``idle_seconds`` is not used again: a server closes such ones in time, perhaps while a question
    is written to one, and nobody can tell then whether it was heard. ``options`` are urllib3's own.
    """

    def __init__(
        self, *, kept: int, connect_seconds: float, largest: int, idle_seconds: float = math.inf, **options: Any
    ) -> None:
        self._connect_seconds, self._largest, self._idle_seconds = connect_seconds, largest, idle_seconds
        self._options = {"maxsize": kept, **options}
        self._owned: tuple[int, urllib3.PoolManager] = (0, urllib3.PoolManager())

    def ask(self, method: str, url: str, *, body: Any, headers: Mapping[str, str], seconds: float) -> Answer:
        """
        Raises what urllib3 raises, OSError (a TimeoutError where the answer came too slowly), and AnswerTooLarge.
        """
        until = time.monotonic() + seconds
        answer = self._manager.request(
            method,
            url,
            body=body,
            headers=dict(headers),
            timeout=urllib3.Timeout(connect=min(seconds, self._connect_seconds), read=seconds),
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        return Answer(status=answer.status, headers=answer.headers, body=self._whole(answer, until=until))

    def close(self) -> None:
        self._manager.clear()

    @property
    def _manager(self) -> urllib3.PoolManager:
        process, manager = self._owned
        if process != os.getpid():
            manager = urllib3.PoolManager(**self._options)
            kinds: dict[str, Any] = {
                name: partial(kind, idle_seconds=self._idle_seconds) for name, kind in _POOLS.items()
            }
            manager.pool_classes_by_scheme = kinds
            self._owned = os.getpid(), manager
        return manager

    def _whole(self, answer: urllib3.BaseHTTPResponse, *, until: float) -> bytes:
        """The whole body. One that is cut short or too slow is no answer, and its connection is not used again."""
        body = bytearray()
        try:
            while piece := _next_piece(answer, until=until):
                body += piece
                if len(body) > self._largest:
                    raise AnswerTooLarge(f"the answer is larger than {self._largest:,} bytes")
        except BaseException:
            answer.close()
            raise
        answer.release_conn()
        return bytes(body)


class _Fresh(urllib3.HTTPConnectionPool):
    """Closes what was idle for too long before it is used again."""

    def __init__(self, *args: Any, idle_seconds: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle_seconds = idle_seconds

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn = super()._get_conn(timeout)
        if time.monotonic() - getattr(conn, "idle_since", math.inf) >= self._idle_seconds:
            # It connects anew by itself.
            conn.close()
        return conn


class _FreshAndSecret(_Fresh, urllib3.HTTPSConnectionPool):
    """The same over TLS."""


_POOLS: Mapping[str, type[_Fresh]] = {"http": _Fresh, "https": _FreshAndSecret}


def _next_piece(answer: urllib3.BaseHTTPResponse, *, until: float) -> bytes:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the answer came too slowly")
    connection: Any = answer.connection
    if connection is not None and connection.sock is not None:
        # A byte now and then would begin the read timeout anew each time.
        connection.sock.settimeout(left)
    return answer.read1(_PIECE)
