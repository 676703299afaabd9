"""
``make simulate``: runs of a shop in trouble, on both cores. ``SEED=123`` tells one; ``SEEDS=5000 FROM=0`` plays many.

Exit 1 where a run ended wrong, or where a kind of fault or a crash point was never met: such runs would prove nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from queue import SimpleQueue
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.dice import FAULTS, crash_points

ENOUGH = 200
"""From so many runs on, each fault has to be met."""


class Player:
    """A worker process, and the thread that gives it seeds."""

    def __init__(self, number: int, seeds: SimpleQueue[int | None], results: SimpleQueue[Any], *words: str) -> None:
        environ = {**os.environ, "PYTEST_XDIST_WORKER": f"gw{number}"}
        command = [sys.executable, "-m", "tests.simulation.worker", *words]
        self._process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._seeds, self._results = seeds, results
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def _play(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        while (seed := self._seeds.get()) is not None:
            self._process.stdin.write(f"{seed}\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            if not line:
                self._results.put(None)
                break
            self._results.put(json.loads(line))
        self._process.stdin.close()
        self._process.wait(60)

    def join(self) -> None:
        self._thread.join()


def main() -> int:
    import tests.conftest  # starts the servers

    console = Console(soft_wrap=True)
    one = os.environ.get("SEED")
    first, count = (int(one), 1) if one else (int(os.environ.get("FROM") or 0), int(os.environ.get("SEEDS") or 200))
    players = min(count, os.cpu_count() or 1)
    seeds: SimpleQueue[int | None] = SimpleQueue()
    results: SimpleQueue[Any] = SimpleQueue()
    for seed in [*range(first, first + count), *[None] * players]:
        seeds.put(seed)
    try:
        began = time.monotonic()
        playing = [Player(number, seeds, results, *(["--trace"] if one else [])) for number in range(players)]
        failed, met = _follow(console, results, count)
        for player in playing:
            player.join()
    finally:
        tests.conftest.pytest_unconfigure(None)  # type: ignore[arg-type]
    if one:
        return int(bool(failed))
    console.print(f"{count} seeds, {len(failed)} of them ended wrong: {count / (time.monotonic() - began):.1f} seeds/s")
    never = _tell(console, met) if count >= ENOUGH or failed == [] else []
    if never and count >= ENOUGH:
        console.print(f"[bold red]never met: {', '.join(never)}[/]")
    return int(bool(failed) or (bool(never) and count >= ENOUGH))


def _follow(console: Console, results: SimpleQueue[Any], count: int) -> tuple[list[int], Counter[str]]:
    """The seeds that ended wrong, and how often what was met."""
    failed: list[int] = []
    met: Counter[str] = Counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("seeds", total=count)
        for _ in range(count):
            result = results.get()
            if result is None:
                raise SystemExit("a worker process ended before its work was done")
            progress.advance(bar)
            met.update(result["met"])
            met.update({f"order ends {how}": times for how, times in result["ends"].items()})
            met.update({f"dies at {name}": times for name, times in result["died"].items()})
            if result["broken"]:
                failed.append(result["seed"])
                progress.update(bar, description=f"seeds, {len(failed)} wrong")
            if result["trace"]:
                _tell_story(console, result)
    return sorted(failed), met


def _tell_story(console: Console, result: Any) -> None:
    for line in result["trace"]:
        console.print(line, markup=False, highlight=False)
    for line in result["broken"]:
        console.print(f"  {line}", style="red", markup=False, highlight=False)
    said = "ended wrong" if result["broken"] else "ended well"
    console.print(f"seed {result['seed']} {said}: make simulate SEED={result['seed']}\n", style="bold")


def _tell(console: Console, met: Counter[str]) -> list[str]:
    """How often each thing was met. The names of those that never were."""
    known = [*FAULTS, *(f"dies at {name}" for name in sorted(crash_points()))]
    table = Table("what was met", "times", box=None)
    for name in known:
        table.add_row(name, str(met[name]) if met[name] else "[bold red]never[/]")
    for name in sorted(met.keys() - set(known)):
        table.add_row(name, str(met[name]))
    console.print(table)
    return [name for name in known if not met[name]]


if __name__ == "__main__":
    sys.exit(main())
