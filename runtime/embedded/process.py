"""
Processes that lead a session of their own: started, watched and ended together with everything they started.

A process is known by its number and its start time, so that a number used again is not mistaken for the same process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_HAS_PROC = (_PROC / "self" / "stat").exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom a process runs as."""

    name: str
    uid: int
    gid: int


def wait_until(condition: Callable[[], bool], *, limit: float, every: float = 0.02) -> bool:
    """Ask again and again until the condition holds. False when the limit (seconds) passed without it."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(every)
    return True


# --- Anybody's processes --------------------------------------------------------------------------------------------


def started_at(pid: int) -> int | None:
    """Its start in clock ticks since boot. None where there is no such process, or no /proc to ask."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def is_alive(pid: int, started: int | None = None) -> bool:
    """Whether it runs; with a start time, whether it is still the same process. A zombie is dead."""
    if not _HAS_PROC:
        return _answers_signals(pid)
    fields = _stat(pid)
    return bool(fields) and fields[0] not in {"Z", "X"} and started in {None, int(fields[19])}


def command_line(pid: int) -> str:
    """Its command with spaces between the arguments; empty where there is no such process."""
    if _HAS_PROC:
        try:
            return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a number at most
    return shown.stdout.strip()


def started_with(variable: str, value: str) -> list[int]:
    """The processes whose environment holds this variable. Only one's own can be seen, and none without /proc."""
    wanted = f"{variable}={value}".encode()
    found = []
    for entry in _PROC.iterdir() if _HAS_PROC else ():
        with suppress(OSError):
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return [pid for pid in found if is_alive(pid)]


def group_members(group: int) -> list[int]:
    """The living processes of this process group. None can be seen without /proc."""
    entries = _PROC.iterdir() if _HAS_PROC else ()
    fields = {int(entry.name): _stat(int(entry.name)) for entry in entries if entry.name.isdigit()}
    return [pid for pid, found in fields.items() if found and found[0] not in "ZX" and int(found[2]) == group]


def end_processes(pids: Sequence[int], *, first: signal.Signals, limit: float) -> bool:
    """
    Ask processes that are not this one's children to stop, and kill what is left after the limit.

    False when some are alive even then (they belong to somebody else).
    """
    for number, patience in ((first, limit), (signal.SIGKILL, 5.0)):
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        if wait_until(lambda: not any(is_alive(pid) for pid in pids), limit=patience):
            return True
    return False


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat that follow the command's name: the state first, the start time twentieth."""
    try:
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _answers_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# --- One's own ------------------------------------------------------------------------------------------------------


class Child:
    """A process started here, leading a session and a process group of its own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str],
        cwd: Path,
        account: Account | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Raises OSError. Output is appended to the log, which only its owner may read."""
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._log_start = os.fstat(out).st_size
            self._popen = subprocess.Popen(  # noqa: S603 - commands are never anybody's input
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                umask=0o077,
                start_new_session=True,
                pass_fds=pass_fds,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        finally:
            os.close(out)
        self.log = log
        self.pid: int = self._popen.pid
        self.started = started_at(self.pid)

    def said(self, *, lines: int = 12) -> str:
        """The last lines that its log got since it was started, indented to stand below a sentence."""
        with self.log.open("rb") as file:
            file.seek(max(self._log_start, self.log.stat().st_size - 8000))
            words = file.read().decode(errors="replace").strip()
        return "\n".join(f"    {line}" for line in words.splitlines()[-lines:]) or "    (it said nothing)"

    def exited(self) -> bool:
        """Whether it is dead. It is not reaped by asking, so that its number stays its group's until ``end``."""
        if self._popen.returncode is not None:
            return True
        if not hasattr(os, "waitid"):
            return self._popen.poll() is not None
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def send(self, number: signal.Signals) -> None:
        if not self.exited():
            os.kill(self.pid, number)

    def end(self, first: signal.Signals, *, limit: float, hurry: Callable[[], bool] = lambda: False) -> int:
        """Ask it to stop; after the limit, or in a hurry, and in any case for what it left behind: kill its group."""
        self.send(first)
        self.wait(limit=limit, hurry=hurry)
        return self.kill()

    def wait(self, *, limit: float, hurry: Callable[[], bool] = lambda: False) -> bool:
        """Wait for its end, no longer than the limit and not in a hurry. Whether it is dead."""
        wait_until(lambda: self.exited() or hurry(), limit=limit)
        return self.exited()

    def kill(self) -> int:
        """End its whole group at once, and see it gone. The answer is its exit code, as Popen gives it."""
        # Not reaped yet, so the number is still this group's and nobody else's.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        wait_until(lambda: not group_members(self.pid), limit=5.0)
        return self._popen.wait()
