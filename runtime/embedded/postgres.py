"""One PostgreSQL server on a port of the loopback interface, with its data below the state directory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from runtime.embedded.errors import ServerFailed, StillRunning
from runtime.embedded.launch import HOST, launch, port_used_before
from runtime.embedded.placement import Placement, place
from runtime.embedded.process import Child, command_line, end_processes, is_alive
from runtime.embedded.state import secrets, write_private

ADMINISTRATOR = "mitosis"
DATABASE = "mitosis"
START_LIMIT = 60.0
STOP_LIMIT = 20.0

_SETTINGS = {
    "listen_addresses": HOST,
    # A socket's path may not pass 107 bytes, and a state directory's easily does.
    "unix_socket_directories": "",
    # A domain that moves to a server of its own is followed by logical replication.
    "wal_level": "logical",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "max_connections": "300",
    "shared_buffers": "128MB",
    # Each checkpoint has every page written whole into the log once more, on its next change.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "log_min_messages": "warning",
    # A statement that fails, or is ended by an administrator, has its values in it: names, addresses. So has DETAIL.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """
    A server that outlives nothing: ``start`` it, use ``url``, ``stop`` it. The data stay for the next start.

    A start after a crash takes the data over, also from a server that the crash left running.
    """

    def __init__(self, state: Path, *, name: str = "postgres") -> None:
        self.state = state
        self.name = name
        self.port: int | None = None
        self.process: Child | None = None

    @property
    def url(self) -> str:
        """The administrator's URL. It holds the password."""
        password = secrets(self.state)["POSTGRES_PASSWORD"]
        return f"postgresql://{ADMINISTRATOR}:{password}@{HOST}:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Raises an EmbeddedError that says what is in the way."""
        placement = place(self.state, self.name)
        if not (placement.data / "PG_VERSION").exists():
            _initialise(placement, secrets(self.state)["POSTGRES_PASSWORD"])
        _clear_leftover(placement.data)
        self.process, self.port = launch(
            "PostgreSQL",
            spawn=lambda port: self._spawn(placement, port),
            ready=lambda child, port: _says_ready(placement.data, child.pid),
            port=port_used_before(placement.data / "postmaster.opts", r"--port=(\d+)"),
            limit=START_LIMIT,
        )

    def exited(self) -> bool:
        return self.process is None or self.process.exited()

    def stop(self, *, hurry: Callable[[], bool] = lambda: False) -> None:
        """Disconnect everybody and shut down; in a hurry without a checkpoint. Does nothing to what is stopped."""
        if self.process is None:
            return
        child, self.process = self.process, None
        # SIGINT is the fast shutdown; SIGTERM would wait for every client to leave.
        child.send(signal.SIGINT)
        child.wait(limit=STOP_LIMIT, hurry=hurry)
        child.end(signal.SIGQUIT, limit=10)

    def _spawn(self, placement: Placement, port: int) -> Child:
        settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
        return Child(
            [str(placement.programs / "postgres"), "-D", str(placement.data), *settings],
            log=self.state / "log" / f"{self.name}.log",
            env=_environment(),
            cwd=placement.data,
            account=placement.account,
        )


def clear_leftover(state: Path, *, name: str = "postgres") -> int | None:
    """
    Stop a server that a crashed run left behind on these data. The answer is its process, None where there was none.

    Raises StillRunning when it does not stop.
    """
    return _clear_leftover(state / name / "data")


def running_url(state: Path, *, name: str = "postgres") -> str | None:
    """The administrator's URL of the server that runs on these data, whoever started it. None where there is none."""
    data = state / name / "data"
    lines = _pid_file(data)
    if len(lines) < 8 or lines[7].strip() != "ready" or not lines[0].strip().isdigit():
        return None
    if f" -D {data.resolve()} " not in f"{command_line(int(lines[0]))} ":
        return None
    server = Postgres(state, name=name)
    server.port = int(lines[3])
    return server.url


def _environment() -> dict[str, str]:
    """Nothing of the caller's: PGPORT, PGDATA and their like would be obeyed, and passwords would be handed on."""
    return {"PATH": os.defpath, "LC_ALL": "C"}


def _says_ready(data: Path, pid: int) -> bool:
    """The server keeps its own account in postmaster.pid: its process in the first line, its state in the eighth."""
    lines = _pid_file(data)
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(errors="replace").splitlines()
    except OSError:
        return []


def _clear_leftover(data: Path) -> int | None:
    lines = _pid_file(data)
    if not lines or not lines[0].strip().lstrip("-").isdigit():
        return None
    pid = abs(int(lines[0]))
    if f" -D {data.resolve()} " in f"{command_line(pid)} ":
        if not end_processes([pid], first=signal.SIGINT, limit=STOP_LIMIT):
            raise StillRunning(name="PostgreSQL", pid=pid, folder=data)
        return pid
    if is_alive(pid):
        # Somebody else has the number by now, and PostgreSQL would take that process for its predecessor.
        (data / "postmaster.pid").unlink(missing_ok=True)
    return None


# --- The first start ------------------------------------------------------------------------------------------------


def _initialise(placement: Placement, password: str) -> None:
    """Make the data directory with its database. It gets its name last, so that half of one is never taken for one."""
    unfinished = placement.home / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    placement.give(unfinished)
    password_file = placement.home / "password"
    write_private(password_file, password)
    placement.give(password_file)
    try:
        _run(
            placement,
            "initdb",
            f"--pgdata={unfinished}",
            f"--username={ADMINISTRATOR}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        )
    finally:
        password_file.unlink()
    # Alone, without a port or a password, before anybody can connect.
    _run(placement, "postgres", "--single", "-D", str(unfinished), "template1", says=f"CREATE DATABASE {DATABASE}\n")
    unfinished.replace(placement.data)


def _run(placement: Placement, program: str, *arguments: str, says: str = "") -> None:
    account = placement.account
    done = subprocess.run(  # noqa: S603 - our own program
        [placement.programs / program, *arguments],
        input=says,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(),
        cwd=placement.home,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077,
        check=False,
    )
    if done.returncode != 0:
        reason = f"could not be set up: {program} exited with code {done.returncode}"
        raise ServerFailed(name="PostgreSQL", reason=reason, log=placement.home, tail=done.stdout[-2000:])
