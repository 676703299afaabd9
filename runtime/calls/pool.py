"""Questions to our own services: an answer, or Unavailable that says whether the call may have run."""

from __future__ import annotations

from collections.abc import Mapping

from urllib3.exceptions import ClosedPoolError, ConnectTimeoutError, EmptyPoolError, HTTPError, NewConnectionError

from contracts._base import DeadlineExceeded, Unavailable
from runtime.calls.connections import Answer, Connections
from runtime.calls.manners import LARGEST_ANSWER

__all__ = ["POOL", "Pool", "unavailable"]

_IDLE_SECONDS = 1.5
"""A web server that is stopped keeps its connections for two seconds more (gunicorn's STOP_KEEPALIVE_LINGER)."""

_NEVER_SENT = (NewConnectionError, ConnectTimeoutError, EmptyPoolError, ClosedPoolError)


class Pool:
    """As many connections to one address are kept as threads may ask at once."""

    def __init__(self) -> None:
        self._connections = Connections(
            kept=32, connect_seconds=2.0, largest=LARGEST_ANSWER, idle_seconds=_IDLE_SECONDS
        )

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        """Raises Unavailable, with ``may_have_run`` false where nothing was sent, and AnswerTooLarge."""
        return self._ask("POST", url, body=body, headers=headers, seconds=seconds)

    def get(self, url: str, *, seconds: float) -> Answer:
        """Raises as ``post`` does."""
        return self._ask("GET", url, body=None, headers={}, seconds=seconds)

    def _ask(self, method: str, url: str, *, body: bytes | None, headers: Mapping[str, str], seconds: float) -> Answer:
        if seconds <= 0:
            raise DeadlineExceeded
        try:
            return self._connections.ask(method, url, body=body, headers=headers, seconds=seconds)
        except _NEVER_SENT as error:
            raise unavailable(f"no connection: {type(error).__name__}", may_have_run=False) from error
        except (HTTPError, OSError, ValueError) as error:
            raise unavailable(f"no answer: {type(error).__name__}", may_have_run=True) from error


POOL = Pool()


def unavailable(why: str, *, may_have_run: bool) -> Unavailable:
    error = Unavailable(why)
    error.may_have_run = may_have_run
    return error
