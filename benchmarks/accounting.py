"""CPU time and memory of processes and all they started, as /proc tells them. Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Process:
    """``seconds``: its own CPU time, user and system, and that of the children it has reaped."""

    pid: int
    parent: int
    group: int
    seconds: float


def cpu_seconds(leaders: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """
    The CPU time that was used so far below each name: by the processes it lists, by all that they started, and by
    those among them that have ended. Seconds, in steps of a clock tick (10 ms) for each process.

    What ends is not lost: its time goes to the parent that reaps it. A PostgreSQL backend leads a group of its own, so
    that the tree is followed and not the process group alone.
    """
    processes = _processes()
    return {name: sum(process.seconds for process in _family(processes, pids)) for name, pids in leaders.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """
    ``largest_rss``: of the largest process. ``pss``: of all together, a page that n of them share counted as 1/n to
    each; None where the system does not tell. Bytes.
    """

    processes: int
    largest_rss: int
    pss: int | None


def memory(leaders: Mapping[str, Iterable[int]]) -> dict[str, Memory]:
    processes = _processes()
    return {name: _memory([each.pid for each in _family(processes, pids)]) for name, pids in leaders.items()}


# --- The tree of processes ------------------------------------------------------------------------------------------


def _processes() -> dict[int, _Process]:
    found = (_read(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return {process.pid: process for process in found if process is not None}


def _read(pid: int) -> _Process | None:
    """Also a zombie, whose time its parent does not have yet. None for one that is gone."""
    try:
        # The command's name stands in brackets and may hold anything. Fields as in proc_pid_stat(5), from the third on.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    ticks = sum(int(field) for field in fields[11:15])
    return _Process(pid=pid, parent=int(fields[1]), group=int(fields[2]), seconds=ticks / _TICKS)


def _family(processes: Mapping[int, _Process], leaders: Iterable[int]) -> list[_Process]:
    """The leaders, their descendants, and whoever is in a group of theirs without a parent of theirs."""
    members = {pid for pid, process in processes.items() if {pid, process.group} & set(leaders)}
    while more := {pid for pid, process in processes.items() if process.parent in members} - members:
        members |= more
    return [processes[pid] for pid in members]


# --- Memory ---------------------------------------------------------------------------------------------------------


def _memory(pids: Iterable[int]) -> Memory:
    rss = [size for pid in pids if (size := _kilobytes(pid, "status", "VmRSS:")) is not None]
    pss = [_kilobytes(pid, "smaps_rollup", "Pss:") for pid in pids]
    known = [size for size in pss if size is not None]
    return Memory(
        processes=len(rss),
        largest_rss=1024 * max(rss, default=0),
        pss=1024 * sum(known) if len(known) == len(pss) else None,
    )


def _kilobytes(pid: int, file: str, label: str) -> int | None:
    try:
        lines = (_PROC / str(pid) / file).read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(label)), None)
