"""What processes count together is never less than before, whichever of them ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.telemetry.metrics import counted

ROOT = Path(__file__).resolve().parents[3]
LABELS = {"callee": "inventory", "method": "quote", "way": "remote", "result": "ok"}


class Counting:
    """A process that counts when it is told to."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.telemetry.counting"],
            cwd=ROOT,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, word: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def die(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("die\n")
        self._process.stdin.flush()
        self._process.wait(20)

    def end(self) -> None:
        self._process.communicate(timeout=20)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Counting]]:
    started: list[Counting] = []

    class Started(Counting):
        def __init__(self) -> None:
            super().__init__(tmp_path)
            started.append(self)

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    yield Started
    for each in started:
        each.end()


def total() -> float | None:
    return counted().get_sample_value("mitosis_call_duration_seconds_count", LABELS)


def test_who_takes_over_from_a_process_that_was_killed_counts_on_from_there(start, tmp_path):
    first = start()
    first.tell("3")
    first.die()
    assert total() == 3

    second = start()
    second.tell("4")

    assert total() == 7
    assert [file.name for file in tmp_path.glob("*.db")] == ["histogram_0.db"]


def test_processes_that_live_at_the_same_time_never_count_in_the_same_files(start, tmp_path):
    first, second = start(), start()
    for _ in range(3):
        first.tell("1")
        second.tell("5")

    assert total() == 18
    assert sorted(file.name for file in tmp_path.glob("*.db")) == ["histogram_0.db", "histogram_1.db"]


def test_a_child_takes_a_seat_of_its_own_and_its_parent_keeps_his(start, tmp_path):
    parent = start()
    parent.tell("1")
    parent.tell("fork")
    parent.tell("1")
    other = start()
    other.tell("1")

    assert total() == 13
    # The child's seat is the other's now, and the parent's was never free.
    assert sorted(file.name for file in tmp_path.glob("*.db")) == ["histogram_0.db", "histogram_1.db"]


def test_a_process_that_counts_nothing_takes_no_seat(start, tmp_path):
    start().tell("0")

    assert list(tmp_path.iterdir()) == []
