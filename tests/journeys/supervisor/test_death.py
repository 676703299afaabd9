"""What dies under a supervisor is started again, except for the servers."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from runtime.embedded.process import is_alive, wait_until


def test_a_killed_process_is_started_again_with_its_children_ended_first(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    said: list[str] = []
    with application.running(application.small_plan(state), state, environ, said):
        log = state / "log" / "worker.log"
        assert wait_until(lambda: log.read_text().startswith("child "), limit=10)
        orphan = int(log.read_text().split()[1])
        before = application.pids(state)

        os.kill(before["worker"], signal.SIGKILL)

        assert wait_until(lambda: application.pids(state).get("worker") not in {None, before["worker"]}, limit=2)
        after = application.pids(state)
        assert {name for name in before if before[name] != after[name]} == {"worker"}
        assert not is_alive(orphan)
    assert [line.partition(".")[0] for line in said if line.startswith("worker")] == [
        f"worker (process {before['worker']}) was ended by SIGKILL",
        f"worker was started again (process {after['worker']})",
    ]


def test_while_the_web_server_is_started_again_a_request_waits_and_is_answered(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    with application.running(application.small_plan(state), state, environ) as supervisor:
        before = application.pids(state)["web"]
        os.kill(before, signal.SIGKILL)

        with urlopen(f"{supervisor.url}/ready", timeout=10) as answer:
            served_by = int(answer.read())

        assert served_by not in {0, before}
        assert wait_until(lambda: application.pids(state).get("web") == served_by, limit=2)


def test_a_process_that_keeps_dying_is_started_at_growing_intervals(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    started = state / "started"
    dies_later = f"""
import pathlib, time
path = pathlib.Path({str(started)!r})
with path.open("a") as file: print(time.monotonic(), file=file)
alive = pathlib.Path({str(state / "run.json")!r})
while '"ready"' not in alive.read_text(): time.sleep(0.01)
raise SystemExit("it has had enough")
"""
    said: list[str] = []
    worker = application.process("worker", *application.python(dies_later))
    web = application.small_plan(state).processes[0]
    with application.running(application.small_plan(state, processes=(web, worker)), state, environ, said):
        assert wait_until(lambda: len(started.read_text().splitlines()) >= 4, limit=20)
    times = [float(line) for line in started.read_text().splitlines()]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[1] >= 1.0
    assert pauses[2] >= 2.0
    assert "it has had enough" in "\n".join(said)


@pytest.mark.parametrize("server", ["postgres", "valkey"])
def test_a_dead_server_is_told_of_once_and_not_started_again(
    application: Any, state: Path, environ: dict[str, str], server: str
) -> None:
    said: list[str] = []
    with application.running(application.small_plan(state), state, environ, said):
        before = application.pids(state)
        os.kill(before[server], signal.SIGKILL)

        assert wait_until(lambda: server not in application.pids(state), limit=5)
        os.kill(before["relay"], signal.SIGKILL)
        assert wait_until(lambda: application.pids(state).get("relay") not in {None, before["relay"]}, limit=2)
        assert server not in application.pids(state)
    assert len([line for line in said if line.startswith(f"{server} is dead and is not started again")]) == 1
