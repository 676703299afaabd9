"""
Where each process counts, where several share the work: in the files of a seat that is free, held until it ends.

Whoever takes the seat next counts on from there. So a counter never goes back when a process is recycled, and there are
never more files than there were processes at a time. A seat is held by a lock on its file, which the system gives back
however its holder dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import Metric, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

__all__ = ["SharedCounts", "count_in_seats", "folder"]

_LIVE = "gauge_live"
"""How the file of what is true of a process only while it lives begins."""


def folder() -> Path | None:
    """Where the processes that share the work count; None where this one counts for itself."""
    named = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(named) if named else None


def count_in_seats() -> None:
    """From here on what is counted goes into the files of this process's seat. Called before anything is counted."""
    values.ValueClass = _value


def _value(*facts: Any, **more: Any) -> Any:
    with _making:
        kind = _in_files()
    return kind(*facts, **more)


_making = Lock()
"""Two threads may count their first figure at the same time, and two kinds would overwrite each other's files."""


@cache
def _in_files() -> Callable[..., Any]:
    """Made when the first figure is counted: a process that never counts takes no seat."""
    made: Callable[..., Any] = values.MultiProcessValue(process_identifier=_own_seat)  # type: ignore[no-untyped-call]
    return made


# --- Taking one -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seat:
    number: int
    process: int
    lock: int


_taken: _Seat | None = None


def _own_seat() -> int:
    """The number of this process's seat. A child does not go on in its parent's: it takes one of its own."""
    global _taken
    process = os.getpid()
    if _taken is None or _taken.process != process:
        if _taken is not None:
            # Closed and not unlocked: the parent goes on holding it.
            os.close(_taken.lock)
        _taken = _take(process)
    return _taken.number


def _take(process: int) -> _Seat:
    where = folder()
    if where is None:
        raise RuntimeError("PROMETHEUS_MULTIPROC_DIR is gone from the environment: there are no seats to take")
    where.mkdir(parents=True, exist_ok=True)
    for number in count():
        lock = os.open(_lock_file(where, number), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        # What was true of the one before while it lived.
        for left in where.glob(f"{_LIVE}*_{number}.db"):
            left.unlink(missing_ok=True)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(process).encode(), 0)
        return _Seat(number, process, lock)
    raise AssertionError("unreachable")


def _lock_file(where: Path, number: int) -> Path:
    return where / f"{number}.seat"


# --- Reading all ----------------------------------------------------------------------------------------------------


class SharedCounts(Collector):
    """
    What all processes have counted, those that ended as well, and what is true of those that live.

    A series with the label ``pid`` is of one process.
    """

    def __init__(self, where: Path) -> None:
        self._where = where

    def collect(self) -> Iterator[Metric]:
        living = {file.stem: holder for file in self._where.glob("*.seat") if (holder := _holder(file)) is not None}
        files = [
            str(file)
            for file in sorted(self._where.glob("*.db"))
            if not file.name.startswith(_LIVE) or file.stem.rpartition("_")[2] in living
        ]
        for metric in MultiProcessCollector.merge(files):  # type: ignore[no-untyped-call]
            metric.samples = _with_processes(metric.samples, living)
            yield metric


def _with_processes(samples: Sequence[Sample], living: dict[str, str]) -> list[Sample]:
    """A seat's number says nothing to anybody: the label ``pid`` is its holder's."""
    return [
        each._replace(labels={**each.labels, "pid": living.get(each.labels["pid"], "")})
        if "pid" in each.labels
        else each
        for each in samples
    ]


def _holder(file: Path) -> str | None:
    """The process that holds a seat; None where nobody does."""
    with suppress(FileNotFoundError), file.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return lock.read()
    return None
