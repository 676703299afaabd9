"""One Valkey server on a port of the loopback interface; what it was told is on disk within a second."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from runtime.embedded.binaries import valkey_server
from runtime.embedded.errors import StillRunning
from runtime.embedded.launch import HOST, launch, port_used_before
from runtime.embedded.process import Child, command_line, end_processes
from runtime.embedded.state import make_private, secrets, write_private

START_LIMIT = 60.0
STOP_LIMIT = 10.0

# The password stands here and not among the arguments, which everybody on the machine can read.
_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
pidfile {pidfile}
logfile ""
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
# Keep the command line as it is: a later start knows by it what a crash left running.
set-proc-title no
"""


class Valkey:
    """A server that outlives nothing: ``start`` it, use ``url``, ``stop`` it. What it holds is kept on disk."""

    def __init__(self, state: Path, *, name: str = "valkey") -> None:
        self.state = state
        self.name = name
        self.port: int | None = None
        self.process: Child | None = None

    def url(self, database: int) -> str:
        """The URL of one of its numbered databases. It holds the password."""
        return f"redis://:{secrets(self.state)['VALKEY_PASSWORD']}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Raises an EmbeddedError that says what is in the way."""
        folder = make_private(self.state / self.name).resolve()
        password = secrets(self.state)["VALKEY_PASSWORD"]
        clear_leftover(self.state, name=self.name)
        self.process, self.port = launch(
            "Valkey",
            spawn=lambda port: self._spawn(folder, port, password),
            ready=lambda child, port: _answers(port, password),
            port=port_used_before(_configuration(folder), r"^port (\d+)$"),
            limit=START_LIMIT,
        )

    def exited(self) -> bool:
        return self.process is None or self.process.exited()

    def stop(self, *, hurry: Callable[[], bool] = lambda: False) -> None:
        """Write everything to disk and shut down. Stopping what is stopped does nothing."""
        if self.process is not None:
            child, self.process = self.process, None
            child.end(signal.SIGTERM, limit=STOP_LIMIT, hurry=hurry)

    def _spawn(self, folder: Path, port: int, password: str) -> Child:
        configuration = _CONFIGURATION.format(
            host=HOST, port=port, password=password, folder=_quoted(folder), pidfile=_quoted(_pid_file(folder))
        )
        write_private(_configuration(folder), configuration)
        return Child(
            [str(valkey_server()), str(_configuration(folder))],
            log=self.state / "log" / f"{self.name}.log",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            cwd=folder,
        )


def clear_leftover(state: Path, *, name: str = "valkey") -> int | None:
    """
    Stop a server that a crashed run left behind on these data. The answer is its process, None where there was none.

    Raises StillRunning when it does not stop.
    """
    folder = (state / name).resolve()
    try:
        pid = int(_pid_file(folder).read_text())
    except (OSError, ValueError):
        return None
    if f" {_configuration(folder)} " not in f"{command_line(pid)} ":
        return None
    if not end_processes([pid], first=signal.SIGTERM, limit=STOP_LIMIT):
        raise StillRunning(name="Valkey", pid=pid, folder=folder)
    return pid


def _configuration(folder: Path) -> Path:
    return folder / "valkey.conf"


def _pid_file(folder: Path) -> Path:
    return folder / "valkey.pid"


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _answers(port: int, password: str) -> bool:
    """Whether it lets us in and has read its data. Any other program on the port would not."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            return connection.makefile("rb").read(12) == b"+OK\r\n+PONG\r\n"
    except OSError:
        return False
