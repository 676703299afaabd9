"""
Named places at which a test can have the process die, as if the power had gone.

``CRASH_AT=saga.after_step_before_record:3`` kills the process with SIGKILL when it gets there for the third time.
``CRASH_AT=@FILE`` reads that from a file, whenever it changes, and writes each death into ``FILE.deaths``, so that
processes which are started again can be killed again, and left in peace later. Both are heeded only where
``MITOSIS_ENV=test``; everywhere else a crash point costs one comparison and does nothing.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

__all__ = ["crashpoint", "listen"]

type Listener = Callable[[str], None]


def crashpoint(name: str) -> None:
    if _listener is not None:
        _listener(name)


def listen(listener: Listener | None) -> Listener | None:
    """Have this told of each crash point that is passed, instead of dying there. Who was told before. For tests."""
    global _listener
    if os.environ.get("MITOSIS_ENV") != "test":
        raise RuntimeError("crash points are heeded only where MITOSIS_ENV=test")
    before, _listener = _listener, listener
    return before


class _Armed:
    """Kills this process where it was told to, the n-th time that it passes there."""

    def __init__(self, orders: str) -> None:
        self._file = Path(orders[1:]) if orders.startswith("@") else None
        self._read_at = -1
        self._passed: Counter[str] = Counter()
        self._obey("" if self._file else orders)

    def __call__(self, name: str) -> None:
        if self._file is not None:
            self._read(self._file)
        if name != self._name:
            return
        self._passed[name] += 1
        if self._passed[name] == self._nth:
            self._die(name)

    def _obey(self, orders: str) -> None:
        self._name, _, nth = orders.strip().partition(":")
        self._nth = int(nth or 1)
        self._passed.clear()

    def _read(self, file: Path) -> None:
        try:
            changed_at = file.stat().st_mtime_ns
        except OSError:
            return
        if changed_at != self._read_at:
            self._read_at = changed_at
            self._obey(file.read_text())

    def _die(self, name: str) -> None:
        if self._file is not None:
            with Path(f"{self._file}.deaths").open("a") as deaths:
                deaths.write(f"{name} {os.getpid()}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def _armed() -> Listener | None:
    orders = os.environ.get("CRASH_AT", "")
    return _Armed(orders) if orders and os.environ.get("MITOSIS_ENV") == "test" else None


_listener: Listener | None = _armed()
