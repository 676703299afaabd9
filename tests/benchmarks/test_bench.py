"""A very small run of the whole: every figure is there, and nothing is left running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.rabbitmq import is_installed
from runtime.embedded.placement import discard
from runtime.embedded.process import started_with

ROOT = Path(__file__).resolve().parents[2]
SERVERS_AND_PROCESSES = {"postgres", "valkey", "web", "worker", "relay"}


@pytest.fixture
def folder() -> Iterator[Path]:
    # Short and reachable for whomever PostgreSQL runs as, which pytest's own is not.
    with tempfile.TemporaryDirectory(prefix="mitosis-bench-") as name:
        yield Path(name)
        discard(Path(name) / "bench")


def bench(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks"],
        cwd=ROOT,
        env={**os.environ, "STATE_DIR": str(folder), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("beside", ["off", pytest.param("on", marks=pytest.mark.apart)])
def test_ten_orders_give_every_figure(folder, beside):
    settings = {"ROUNDS": "1", "ORDERS": "10", "CONCURRENCY": "1,2", "EVENTS": "20,40", "CALLS": "50", "APART": beside}
    done = bench(folder, **settings, COLUMNS="80")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "bench.json").read_text())
    assert found["settings"]["orders"] == 10
    assert found["machine"]["cores"] == os.cpu_count()
    assert {"mitosis", "python", "postgresql", "valkey", "django", "celery"} <= found["versions"].keys()
    assert [pair["run"]["concurrency"] for pair in found["rounds"][0]["pairs"]] == [1, 2]
    for pair in found["rounds"][0]["pairs"]:
        assert pair["run"]["cpu_ms"].keys() == SERVERS_AND_PROCESSES
        assert sum(pair["run"]["statuses"].values()) == 10
        assert pair["yardstick"]["orders"] == 10
    for medians in found["medians"].values():
        assert medians["ratio"].keys() == {"median", "lowest", "highest"}
        assert medians["p50_ms"]["median"] <= medians["p99_ms"]["median"]
    assert found["sql"]["by_role"]["orders"]["writes"] > 0
    assert found["sql"]["yardstick"]["transactions"] > 1
    assert found["memory_bytes"].keys() == SERVERS_AND_PROCESSES
    assert [each["events"] for each in found["events"]] == ([*[20] * 3, 40, *[20] * 3] if is_installed() else [])
    assert all(each["relayed"] >= each["carried"] > 0 for each in found["events"])
    (called,) = found["calls"]["rounds"]
    assert all(sum(sides) > 0 for sides in (called["health"], *called["remote"].values()))
    assert all(called["local"][method] > called["straight"][method] > 0 for method in ("quote", "release"))
    assert len(found["apart"]) == (1 if beside == "on" else 0)
    for together, apart in found["apart"]:
        assert together["cpu_ms"].keys() == SERVERS_AND_PROCESSES
        assert apart["cpu_ms"].keys() == SERVERS_AND_PROCESSES | {"gateway"}
    assert [len(turns) for turns in found["tracing"]["rounds"]] == [3]
    assert found["tracing"]["spans"] > 40
    assert found["tracing"]["recorded_ms"] > found["tracing"]["looking_ms"] > 0
    ElementTree.parse(folder / "bench.svg")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "times what PostgreSQL needs to write its rows" in done.stdout
    for name in ("bench", "bench-together", "bench-apart"):
        assert not started_with("MITOSIS_SUPERVISED", str(folder / name))


def test_a_setting_that_makes_no_sense_is_named(folder):
    done = bench(folder, ORDERS="many")
    assert done.returncode == 1
    assert done.stdout == "ORDERS='many' cannot be used: it takes whole numbers from 1.\n"
    assert bench(folder, APART="maybe").stdout == "APART='maybe' cannot be used: it takes on or off.\n"
