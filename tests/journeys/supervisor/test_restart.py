"""Asked to, a supervisor starts what runs anew, one after the other: the next one serves before the last one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.supervision.leftovers import MARK
from config.supervision.processes import Plan
from config.supervision.restarting import Restart, ask, progress
from runtime.embedded.process import is_alive, started_with, wait_until

# Says when it serves, as soon as it may; notes when it is asked to stop, and ends when it may.
WORKS = """
import os, pathlib, signal, sys, time
state, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def note(what):
    with (state / "notes").open("a") as file:
        file.write(f"{name} {what}\\n")
def stop(*_):
    note("asked to stop")
    while (state / "busy").exists():
        time.sleep(0.01)
    note("ended")
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
note("began")
if "READY_FILE" in os.environ:
    while (state / "wait").exists():
        time.sleep(0.01)
    if (state / "broken").exists():
        raise SystemExit("it cannot work like this")
    note("serves")
    with open(os.environ["READY_FILE"], "a") as file:
        file.write(f"{os.getpid()} 1\\n")
while True:
    signal.pause()
"""
NAMES = ("web", "worker", "relay")


@pytest.fixture
def plan(application: Any, state: Path) -> Plan:
    processes = [application.process(name, *application.python(WORKS, str(state), name)) for name in NAMES]
    found: Plan = application.small_plan(state, processes=processes, preparation=())
    return found


@pytest.fixture
def bare(environ: dict[str, str]) -> dict[str, str]:
    """Servers are not needed here."""
    given = {"DATABASE_URL": "postgresql://admin:secret@db.example:5432/shop", "SECRET_KEY": "s" * 50}
    return {**environ, **given, "BROKER_URL": "redis://broker.example/0", "CACHE_URL": "redis://cache.example/1"}


def wanted(*names: str) -> Restart:
    return {"id": "one", "names": list(names), "state": "asked", "done": []}


def notes(state: Path) -> list[str]:
    return (state / "notes").read_text().splitlines()


def is_over(state: Path) -> bool:
    now = progress(state)
    return now is not None and now["state"] in ("done", "failed")


def all_began(state: Path) -> bool:
    return (state / "notes").exists() and len(notes(state)) == len(NAMES)


def test_each_serves_before_the_one_before_it_is_asked_to_stop_and_ends_before_the_next_begins(
    application: Any, state: Path, bare: dict[str, str], plan: Plan
) -> None:
    said: list[str] = []
    with application.running(plan, state, bare, said):
        assert wait_until(lambda: all_began(state), limit=20)
        before = application.pids(state)

        assert ask(state, wanted("relay", "web")) is None
        assert wait_until(lambda: is_over(state), limit=30)

        after = application.pids(state)
        assert progress(state) == {**wanted("relay", "web"), "state": "done", "done": ["relay", "web"]}
        assert {name for name in NAMES if before[name] != after[name]} == {"relay", "web"}
        assert not any(is_alive(before[name]) for name in ("relay", "web"))
        assert len(application.run_of(state)["processes"]) == len(NAMES)
        steps = ("began", "serves", "asked to stop", "ended")
        assert notes(state)[3:] == [f"{name} {step}" for name in ("relay", "web") for step in steps]
    assert [line.partition(" (")[0] for line in said if "anew" in line] == [
        "Starting relay anew.",
        "relay was started anew",
        "Starting web anew.",
        "web was started anew",
    ]
    assert started_with(MARK, str(state)) == []


def test_one_that_does_not_come_up_takes_nobodys_place_and_no_other_is_tried(
    application: Any, state: Path, bare: dict[str, str], plan: Plan
) -> None:
    with application.running(plan, state, bare):
        assert wait_until(lambda: all_began(state), limit=20)
        before = application.pids(state)
        (state / "broken").touch()
        ask(state, wanted("worker", "web"))
        assert wait_until(lambda: is_over(state), limit=30)

        now = progress(state)
        assert now is not None
        assert (now["state"], now["done"]) == ("failed", [])
        assert now["failure"].startswith("worker was not started anew: the new one (process ")
        assert "exited with code 1" in now["failure"]
        assert "it cannot work like this" in now["failure"]
        assert application.pids(state) == before
        assert all(map(is_alive, before.values()))
        assert notes(state)[3:] == ["worker began"]


def test_one_that_never_serves_is_ended_after_a_while(
    application: Any, state: Path, bare: dict[str, str], plan: Plan
) -> None:
    impatient = Plan(processes=plan.processes, preparation=(), ready_limit=1.0)
    with application.running(impatient, state, bare):
        assert wait_until(lambda: all_began(state), limit=20)
        before = application.pids(state)
        (state / "wait").touch()
        ask(state, wanted("web"))
        assert wait_until(lambda: is_over(state), limit=30)

        assert "was not ready within 1 s" in (progress(state) or {}).get("failure", "")
        assert application.pids(state) == before
        assert len(started_with(MARK, str(state))) == len(NAMES)


def test_whoever_dies_meanwhile_is_started_again_and_replaced_all_the_same(
    application: Any, state: Path, bare: dict[str, str], plan: Plan
) -> None:
    with application.running(plan, state, bare):
        assert wait_until(lambda: all_began(state), limit=20)
        before = application.pids(state)
        (state / "wait").touch()
        ask(state, wanted("web"))
        assert wait_until(lambda: notes(state)[3:] == ["web began"], limit=20)

        os.kill(before["web"], signal.SIGKILL)
        os.kill(before["relay"], signal.SIGKILL)
        assert wait_until(lambda: sorted(notes(state)[4:]) == ["relay began", "web began"], limit=20)
        (state / "wait").unlink()

        assert wait_until(lambda: is_over(state), limit=30)
        assert (progress(state) or {})["state"] == "done"
        assert len(application.run_of(state)["processes"]) == len(NAMES)
        assert len(started_with(MARK, str(state))) == len(NAMES)


@pytest.mark.parametrize("at", ["wait", "busy"])
def test_told_to_stop_in_the_middle_it_leaves_neither_of_the_two(
    application: Any, state: Path, bare: dict[str, str], plan: Plan, at: str
) -> None:
    with application.running(plan, state, bare):
        assert wait_until(lambda: all_began(state), limit=20)
        (state / at).touch()
        ask(state, wanted("web"))
        last = {"wait": "web began", "busy": "web asked to stop"}[at]
        assert wait_until(lambda: notes(state)[3:][-1:] == [last], limit=20)
        assert [each["name"] for each in application.run_of(state)["processes"]].count("web") == 2
        (state / at).unlink()
    assert started_with(MARK, str(state)) == []


def restart(state: Path, environ: dict[str, str], *names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "restart", *names],
        cwd=Path(__file__).resolve().parents[3],
        env={**environ, "STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_command_takes_names_and_roles_and_says_what_was_done(
    application: Any, state: Path, bare: dict[str, str], plan: Plan
) -> None:
    assert "Nothing runs in" in restart(state, bare).stderr
    with application.running(plan, state, bare):
        assert wait_until(lambda: all_began(state), limit=20)
        one = restart(state, bare, "worker")
        assert (one.returncode, one.stdout) == (0, "worker was started anew.\n"), one.stderr
        unknown = restart(state, bare, "web", "nobody")
        assert unknown.returncode == 1
        assert "'nobody' is none of web, worker, relay" in unknown.stderr
        (state / "broken").touch()
        broken = restart(state, bare)
        assert (broken.returncode, broken.stdout) == (1, "")
        assert "web was not started anew" in broken.stderr
        (state / "broken").unlink()
        (state / "wait").touch()
        ask(state, wanted("relay"))
        assert "Another restart is not over yet: relay" in restart(state, bare).stderr
        (state / "wait").unlink()
        assert wait_until(lambda: is_over(state), limit=30)
    assert [note for note in notes(state) if note.endswith("serves")] == ["worker serves", "relay serves"]
