"""A supervisor stops everything when told to, and what a killed one left is ended later."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.supervision.leftovers import MARK, clear_leftovers
from runtime.embedded.process import is_alive, started_with, wait_until
from runtime.embedded.state import last_run, read_run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_and_the_exit_is_clean(
    application: Any, state: Path, environ: dict[str, str], number: signal.Signals
) -> None:
    with application.running_alone(state, environ) as owner:
        started = [process["pid"] for process in application.run_of(state)["processes"]]

        owner.send_signal(number)

        assert owner.wait(timeout=30) == 0
    assert [pid for pid in started if is_alive(pid)] == []
    assert started_with(MARK, str(state)) == []
    assert last_run(state) is None


def test_a_second_signal_hurries_the_end_up(application: Any, state: Path, environ: dict[str, str]) -> None:
    with application.running_alone(state, {**environ, "WORKER": "deaf"}) as owner:
        started = application.pids(state)

        owner.send_signal(signal.SIGINT)
        assert wait_until(lambda: not is_alive(started["relay"]), limit=10)
        with pytest.raises(subprocess.TimeoutExpired):
            owner.wait(timeout=1)
        owner.send_signal(signal.SIGINT)

        assert owner.wait(timeout=5) == 0
    assert [name for name, pid in started.items() if is_alive(pid)] == []


def test_what_a_killed_supervisor_left_is_ended_by_the_next_start(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    with application.running_alone(state, environ) as owner:
        left = [process["pid"] for process in application.run_of(state)["processes"]]
        owner.kill()
        owner.wait()
    assert all(map(is_alive, left))
    assert read_run(state) is None

    with application.running(application.small_plan(state), state, environ):
        assert [pid for pid in left if is_alive(pid)] == []
        assert application.run_of(state)["state"] == "ready"


def test_what_a_killed_supervisor_left_is_cleared_though_its_run_json_is_gone(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    with application.running_alone(state, environ) as owner:
        left = [process["pid"] for process in application.run_of(state)["processes"]]
        owner.kill()
        owner.wait()
    (state / "run.json").unlink()
    said: list[str] = []

    assert clear_leftovers(state, said.append) >= len(left)
    assert [pid for pid in left if is_alive(pid)] == []
    assert clear_leftovers(state, said.append) == 0


def test_a_process_that_only_has_a_recorded_number_is_left_alone(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    with application.running_alone(state, environ) as owner:
        owner.kill()
        owner.wait()
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True) as stranger:
        run = last_run(state)
        assert run is not None
        entry = next(process for process in run["processes"] if process["name"] == "relay")
        entry["pid"] = stranger.pid
        (state / "run.json").write_text(json.dumps(run))

        clear_leftovers(state, lambda _: None)

        assert stranger.poll() is None
        stranger.kill()
