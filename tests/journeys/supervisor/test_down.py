"""`manage.py down` stops whatever runs, says what it did, and on request removes the data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from runtime.embedded.process import is_alive

PROJECT = Path(__file__).resolve().parents[3]


def down(state: Path, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "down", *arguments]
    told = {**environ, "STATE_DIR": str(state)}
    return subprocess.run(command, cwd=PROJECT, env=told, capture_output=True, text=True, check=False)


def test_a_living_supervisor_is_asked_to_stop_and_waited_for(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    with application.running_alone(state, environ) as owner:
        started = application.pids(state)

        done = down(state, environ)

        assert owner.wait(timeout=5) == 0
    asked = f"Asking process {owner.pid}, which runs everything here, to stop.\nStopped.\n"
    assert (done.returncode, done.stdout) == (0, asked), done.stderr
    assert [name for name, pid in started.items() if is_alive(pid)] == []


def test_what_a_crashed_run_left_is_ended_by_name_and_a_second_time_there_is_nothing(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    with application.running_alone(state, environ) as owner:
        left = application.pids(state)
        owner.kill()

    first, second = down(state, environ), down(state, environ)

    assert first.returncode == 0, first.stderr
    assert [line for line in first.stdout.splitlines() if "more, whose parent is dead" not in line] == [
        *(
            f"Ending {name} (process {left[name]}), which an earlier run left behind."
            for name in ("web", "worker", "relay")
        ),
        f"Stopped Valkey (process {left['valkey']}), which an earlier run left behind.",
        f"Stopped PostgreSQL (process {left['postgres']}), which an earlier run left behind.",
    ]
    assert [name for name, pid in left.items() if is_alive(pid)] == []
    assert second.stdout == "Nothing was running.\n"


def test_cleaning_removes_the_state_directory_and_what_lies_elsewhere_for_it(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    with application.running(application.small_plan(state), state, environ):
        elsewhere = (state / "postgres").resolve()

    done = down(state, environ, "--clean")

    assert done.returncode == 0, done.stderr
    assert not state.exists()
    assert not elsewhere.exists()


def test_cleaning_never_removes_a_directory_that_holds_the_project_itself(
    environ: dict[str, str], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)

    done = down(home, {**environ, "HOME": str(home)}, "--clean")

    assert done.returncode == 1
    assert done.stderr.startswith(f"STATE_DIR={home} holds more than what was started here and is not removed")
    assert (home / "work").is_dir()


def test_of_several_groups_the_servers_are_stopped_and_removed_too(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    with application.running_alone(state, {**environ, "GROUPS": "two"}) as owner:
        left = application.pids(state)
        homes = [path.resolve() for path in state.glob("postgres*")]
        owner.kill()

    done = down(state, environ, "--clean")

    assert done.returncode == 0, done.stderr
    assert {name for name in left if name.startswith("postgres")} == {
        "postgres-users+inventory",
        "postgres-payments+orders",
    }
    assert [name for name, pid in left.items() if is_alive(pid)] == []
    assert len(homes) == 2
    assert not any(path.exists() for path in (state, *homes))
