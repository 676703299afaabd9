"""Starting a server on a port that is free, also when somebody else is quicker to take it."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

from runtime.embedded.errors import ServerFailed
from runtime.embedded.process import Child, wait_until

HOST = "127.0.0.1"

_PASSES = ("Address already in use", "could not bind", "could not create any TCP/IP sockets", "is still in use")
"""What a server says when it may well start a moment later, or on another port."""


def launch(
    name: str, *, spawn: Callable[[int], Child], ready: Callable[[Child, int], bool], port: int | None, limit: float
) -> tuple[Child, int]:
    """
    Start a server, on this port if it is free, and wait until it is ready. The answer is the process and its port.

    Raises ServerFailed with the end of its log when it exits, or is not ready within the limit (seconds).
    """
    end = time.monotonic() + limit
    while True:
        chosen = port if port and is_free(port) else free_port()
        child = spawn(chosen)
        if _await(child, lambda: ready(child, chosen), limit=end - time.monotonic()):  # noqa: B023
            return child, chosen
        late, code, said = not child.exited(), child.kill(), child.said()
        if late or time.monotonic() >= end:
            raise ServerFailed(name=name, reason=f"was not ready within {limit:g} s", log=child.log, tail=said)
        if not any(sign in said for sign in _PASSES):
            raise ServerFailed(name=name, reason=f"exited with code {code} at its start", log=child.log, tail=said)
        wait_until(lambda: is_free(chosen), limit=0.2)  # noqa: B023


def _await(child: Child, ready: Callable[[], bool], *, limit: float) -> bool:
    wait_until(lambda: child.exited() or ready(), limit=limit)
    return not child.exited() and ready()


# --- Ports ----------------------------------------------------------------------------------------------------------


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do it: a port that only old connections of an ended server linger on is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def port_used_before(path: Path, pattern: str) -> int | None:
    """The port that a file of the server's own names: to keep it over a restart keeps other people's settings valid."""
    try:
        found = re.search(pattern, path.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None
