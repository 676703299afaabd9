"""Has orders placed by the client in its own process, and waits for what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from benchmarks.errors import LoadFailed, OrdersRefused
from benchmarks.load import Outcome, Task, carts_of
from benchmarks.system import PROJECT, SKUS, System

LINES = 3
WARM_UP = 50
"""Orders before each run, and at most as many as the run has: connections are made and caches are filled."""

_ACCEPTED = ("201", "202")


def place(
    system: System,
    concurrency: int,
    *,
    orders: int,
    begin: Callable[[], None] = lambda: None,
    tell: Callable[[int], None] = lambda more: None,
    traced: float | None = None,
) -> Outcome:
    """
    Place so many orders. ``begin`` is called after the warm-up, before the first that counts; ``tell`` with how many
    more are answered; ``traced`` is which part of them has its trace recorded, where that is not left to the system.

    Raises LoadFailed, and OrdersRefused unless each was accepted.
    """
    task = Task(
        url=system.url,
        token=system.token(),
        carts=carts_of(SKUS, lines=LINES),
        concurrency=concurrency,
        warm_up=min(WARM_UP, orders),
        orders=orders,
        traced=traced,
    )
    outcome = _run(task, system.folder / "load.log", begin=begin, tell=tell)
    accepted = sum(outcome.statuses.get(status, 0) for status in _ACCEPTED)
    if accepted != orders:
        raise OrdersRefused(orders=orders, refused=orders - accepted, statuses=outcome.statuses)
    return outcome


def _run(task: Task, log: Path, *, begin: Callable[[], None], tell: Callable[[int], None]) -> Outcome:
    outcome: Outcome | None = None
    told = 0
    with _client(log) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        _say(process, json.dumps(asdict(task)))
        for line in map(json.loads, process.stdout):
            if "ready" in line:
                begin()
                _say(process, "go")
            elif "done" in line:
                tell(line["done"] - told)
                told = line["done"]
            else:
                outcome = Outcome(**line)
        code = process.wait()
    if outcome is None:
        words = "\n".join(f"    {each}" for each in log.read_text().splitlines()[-12:])
        raise LoadFailed(code=code, words=words)
    return outcome


@contextmanager
def _client(log: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.load"]
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        yield process
    finally:
        process.kill()
        with suppress(OSError):
            process.communicate()


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended, and its exit code says more
        process.stdin.write(line + "\n")
        process.stdin.flush()
