"""A process dies where a test told it to, and nowhere else: never in production."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.telemetry import crashpoints

ROOT = Path(__file__).resolve().parents[3]
PASS_THREE = """
from runtime.telemetry.crashpoints import crashpoint
for _ in range(3):
    crashpoint("here")
    crashpoint("there")
print("alive")
"""
DEAD = -signal.SIGKILL


def run(orders: str, *, env: str = "test") -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "MITOSIS_ENV": env, "CRASH_AT": orders}
    return subprocess.run(
        [sys.executable, "-c", PASS_THREE], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("orders", "code"), [("here", DEAD), ("here:3", DEAD), ("here:4", 0), ("nowhere", 0), ("", 0)])
def test_it_dies_where_it_was_told_to_the_nth_time_that_it_gets_there(orders, code):
    assert run(orders).returncode == code


@pytest.mark.parametrize("env", ["", "production"])
def test_outside_of_a_test_nothing_is_heeded(env, tmp_path):
    armed = tmp_path / "armed"
    armed.write_text("here")

    assert run("here", env=env).stdout == run(f"@{armed}", env=env).stdout == "alive\n"
    assert not (tmp_path / "armed.deaths").exists()


def test_a_file_tells_it_where_and_is_told_of_each_death(tmp_path):
    armed, deaths = tmp_path / "armed", tmp_path / "armed.deaths"
    assert run(f"@{armed}").returncode == 0
    armed.write_text("there:2\n")

    assert [run(f"@{armed}").returncode for _ in range(2)] == [DEAD, DEAD]
    assert [line.split()[0] for line in deaths.read_text().splitlines()] == ["there", "there"]
    armed.write_text("")
    assert run(f"@{armed}").stdout == "alive\n"


def test_a_test_may_listen_to_what_is_passed_and_nobody_else_may(monkeypatch):
    heard: list[str] = []
    monkeypatch.setenv("MITOSIS_ENV", "test")
    before = crashpoints.listen(heard.append)
    try:
        crashpoints.crashpoint("here")
    finally:
        crashpoints.listen(before)
    crashpoints.crashpoint("there")

    assert heard == ["here"]
    monkeypatch.delenv("MITOSIS_ENV")
    with pytest.raises(RuntimeError, match="MITOSIS_ENV=test"):
        crashpoints.listen(heard.append)
