"""What the console needs of the supervisor: what it calls a process, and to have that one started anew."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from config.environment import ENVIRONMENT
from config.supervision.restarting import Restart, ask, is_meant
from contracts._base import Rejected
from runtime.embedded.errors import EmbeddedError
from runtime.embedded.state import read_run

__all__ = ["NotNow", "start_anew", "started_as"]


class NotNow(Rejected):
    """The supervisor starts others anew just now: wait until it is done."""

    code = "restart_under_way"


def started_as(*, role: str, domain: str, host: str) -> list[str]:
    """The names in run.json of this host's processes of that role for the domain. Without a supervisor: none."""
    try:
        run = read_run(ENVIRONMENT.state_dir)
    except EmbeddedError:
        return []
    if run is None or run["state"] != "ready" or host != socket.gethostname():
        return []
    names = [each["name"] for each in run["processes"] if domain in each["domains"]]
    return [name for name in dict.fromkeys(names) if is_meant(name, role)]


def start_anew(*, names: Sequence[str], key: str) -> None:
    """Answers when it is asked for, not when it is done. Once for each key. Raises NotNow."""
    wanted: Restart = {"id": key, "names": list(names), "state": "asked", "done": []}
    other = ask(ENVIRONMENT.state_dir, wanted)
    if other is not None and other["id"] != key:
        raise NotNow(names=", ".join(other["names"]))
