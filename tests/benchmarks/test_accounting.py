"""CPU time is neither lost nor counted twice, whoever used it: compared with a load that tells what it used itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.accounting import cpu_seconds, memory

# The leader reaps one child; another lives on, in a group of its own as PostgreSQL backends do. Each says what it has
# used so far once it has done its work.
LOAD = """
import os, resource, subprocess, sys, time

def burn(seconds):
    while time.process_time() < seconds:
        pass

if len(sys.argv) > 1:
    burn(0.2)
    print(time.process_time(), flush=True)
    if sys.argv[1] == "stay":
        sys.stdin.read()
    sys.exit()

gone = subprocess.run([sys.executable, __file__, "go"], stdout=subprocess.PIPE)
stays = subprocess.Popen(
    [sys.executable, __file__, "stay"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
)
living = float(stays.stdout.readline())
burn(0.3)
reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
print(living + reaped.ru_utime + reaped.ru_stime + time.process_time(), flush=True)
sys.stdin.read()
stays.stdin.close()
stays.wait()
"""

A_TICK_EACH = 0.01 * 3 * 2
"""Three processes, two times each, read to a tick of 10 ms."""


@pytest.fixture
def load(tmp_path) -> Iterator[tuple[int, float]]:
    """A process that waits after its work, and the CPU seconds that it and its children say they used."""
    program = tmp_path / "load.py"
    program.write_text(LOAD)
    process = subprocess.Popen(
        [sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process.pid, float(process.stdout.readline())
    finally:
        process.communicate()


def test_what_a_process_and_its_living_and_ended_children_used_adds_up(load):
    pid, used = load
    assert cpu_seconds({"load": [pid]})["load"] == pytest.approx(used, abs=A_TICK_EACH)


def test_a_process_that_is_named_twice_counts_once(load):
    pid, _ = load
    once, twice = cpu_seconds({"load": [pid]}), cpu_seconds({"load": [pid, pid]})
    assert twice == pytest.approx(once, abs=A_TICK_EACH)


def test_memory_is_of_all_that_live(load):
    pid, _ = load
    found = memory({"load": [pid]})["load"]
    assert found.processes == 2
    assert 1_000_000 < found.largest_rss < 1_000_000_000
    assert found.pss is None or 0 < found.pss <= 2 * found.largest_rss


def test_nobody_uses_nothing():
    assert cpu_seconds({"nobody": []}) == {"nobody": 0}
    assert memory({"nobody": []})["nobody"].processes == 0
