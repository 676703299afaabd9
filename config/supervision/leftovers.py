"""Ending what a crashed run left running."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from runtime.embedded import postgres, valkey
from runtime.embedded.process import end_processes, is_alive, started_with
from runtime.embedded.state import MARK, forget_run, last_run

__all__ = ["MARK", "STOP_LIMIT", "clear_leftovers", "is_server"]

STOP_LIMIT = 10.0
_SERVERS = ("postgres", "valkey")


def is_server(name: str) -> bool:
    """Whether a process of this name is PostgreSQL or Valkey, which keep data and are not started again."""
    return name.startswith(_SERVERS)


def clear_leftovers(state: Path, say: Callable[[str], None]) -> int:
    """
    End what is still running here without a supervisor. Only its owner (``sole_owner``) may call this.

    A process is ended when it is the very one that run.json recorded, or carries this state directory's mark. The
    answer is how many were found. Raises StillRunning where a server does not stop.
    """
    found = 0
    run = last_run(state)
    leaders = [process for process in run["processes"] if not is_server(process["name"])] if run else []
    alive = {process["pid"]: process["name"] for process in leaders if is_alive(process["pid"], process["started"])}
    for pid, name in alive.items():
        say(f"Ending {name} (process {pid}), which an earlier run left behind.")
    end_processes(list(alive), first=signal.SIGTERM, limit=STOP_LIMIT)
    for pid in alive:
        # What a leader started is in its group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    ended = _end_strays(state, say)
    names = sorted(path.name for path in state.glob("postgres*"))
    servers = [("Valkey", valkey, "valkey"), *(("PostgreSQL", postgres, name) for name in names)]
    for title, server, name in servers:
        if pid := server.clear_leftover(state, name=name):
            found += 1
            say(f"Stopped {title} (process {pid}), which an earlier run left behind.")
    forget_run(state)
    return found + len(alive) + ended


def _end_strays(state: Path, say: Callable[[str], None]) -> int:
    """Looks again after each round: a parent that was about to die may just have had another child."""
    ended = 0
    while strays := [pid for pid in started_with(MARK, str(state)) if pid != os.getpid()]:
        say(f"Ending {len(strays)} more, whose parent is dead.")
        ended += len(strays)
        if not end_processes(strays, first=signal.SIGTERM, limit=STOP_LIMIT):
            break
    return ended
