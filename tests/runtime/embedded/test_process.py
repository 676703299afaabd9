"""Processes are known by number and start time, and end with everything they started."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.embedded.process import (
    Child,
    command_line,
    end_processes,
    is_alive,
    started_at,
    started_with,
    wait_until,
)

SLEEP = "import time; time.sleep(600)"
WITH_A_CHILD = (
    f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', '{SLEEP}']).pid, flush=True); {SLEEP}"
)
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}"
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")


@contextmanager
def running(code: str, log: Path, **env: str) -> Iterator[Child]:
    child = Child([sys.executable, "-c", code], log=log, env={**os.environ, **env}, cwd=log.parent)
    try:
        yield child
    finally:
        child.kill()


def test_a_child_leads_a_group_of_its_own_and_writes_to_a_private_log(tmp_path: Path) -> None:
    with running("print('hello')", tmp_path / "it.log") as child:
        assert child.wait(limit=10)
        assert child.kill() == 0
        assert child.said() == "    hello"
        assert (tmp_path / "it.log").stat().st_mode & 0o777 == 0o600
    with running(SLEEP, tmp_path / "it.log") as child:
        assert os.getpgid(child.pid) == os.getsid(child.pid) == child.pid


def test_what_a_child_said_is_only_what_it_said_since_it_was_started(tmp_path: Path) -> None:
    for word in ("first", "second"):
        with running(f"print('{word}')", tmp_path / "it.log") as child:
            assert child.wait(limit=10)
            assert child.said() == f"    {word}"


def test_a_group_is_ended_with_the_children_of_a_leader_that_died_alone(tmp_path: Path) -> None:
    with running(WITH_A_CHILD, tmp_path / "it.log") as child:
        assert wait_until(lambda: "(" not in child.said(), limit=10)
        orphan = int(child.said())
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(limit=5)
        assert is_alive(orphan)

        assert child.kill() == -signal.SIGKILL

        assert wait_until(lambda: not is_alive(orphan), limit=5)


def test_a_child_that_does_not_stop_when_asked_is_killed_after_the_limit(tmp_path: Path) -> None:
    with running(DEAF, tmp_path / "it.log") as child:
        assert wait_until(lambda: "deaf" in child.said(), limit=10)
        assert child.end(signal.SIGTERM, limit=0.2) == -signal.SIGKILL


def test_a_hurry_does_not_wait_for_the_limit(tmp_path: Path) -> None:
    with running(DEAF, tmp_path / "it.log") as child:
        assert wait_until(lambda: "deaf" in child.said(), limit=10)
        assert child.end(signal.SIGTERM, limit=600, hurry=lambda: True) == -signal.SIGKILL


@needs_proc
def test_a_number_with_another_start_time_is_another_process() -> None:
    started = started_at(os.getpid())
    assert started is not None
    assert is_alive(os.getpid(), started)
    assert not is_alive(os.getpid(), started + 1)


@needs_proc
def test_a_zombie_is_dead(tmp_path: Path) -> None:
    with running("", tmp_path / "it.log") as child:
        assert child.wait(limit=10)
        assert Path(f"/proc/{child.pid}").exists()
        assert not is_alive(child.pid)


@needs_proc
def test_processes_are_found_by_what_their_environment_holds(tmp_path: Path) -> None:
    with running(SLEEP, tmp_path / "it.log", MITOSIS_TEST_MARK=str(tmp_path)) as child:
        assert wait_until(lambda: started_with("MITOSIS_TEST_MARK", str(tmp_path)) == [child.pid], limit=5)
        assert started_with("MITOSIS_TEST_MARK", str(tmp_path)[:-1]) == []
        assert SLEEP in command_line(child.pid)


def test_processes_that_do_not_stop_when_asked_are_killed(tmp_path: Path) -> None:
    with running(DEAF, tmp_path / "it.log") as child:
        assert wait_until(lambda: "deaf" in child.said(), limit=10)
        assert end_processes([child.pid], first=signal.SIGTERM, limit=0.2)
        assert not is_alive(child.pid)
