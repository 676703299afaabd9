"""kill -9 at each named point: the next holder ends the process, and each effect is there once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connections

from tests.together import shift_clock

ROOT = Path(__file__).resolve().parents[3]
FORWARD = ["ask.do", "hold.do", "pay.do", "send.do"]

KNOWN = {"DJANGO_SETTINGS_MODULE": "config.settings", "MITOSIS_ENV": "test"}

RUN_IT = """
import sys
from uuid import UUID
import django
django.setup()
from runtime.saga import store
from runtime.saga.engine import advance
from runtime.saga.models import SagaRun
import tests.runtime.saga.small_sagas
run = store.claim(UUID(sys.argv[1]), using="orders")
print(advance(run, budget=10.0).state)
"""


def run_elsewhere(run, *, plan: dict | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN_IT, str(run.id)],
        env={**os.environ, **KNOWN, "SMALL_SAGA_PLAN": json.dumps(plan or {}), **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(autouse=True)
def clock_back():
    yield
    connections.close_all()


POINTS = ["saga.before_step:1", "saga.before_step:5", *(f"saga.after_step_before_record:{n}" for n in range(1, 6))]


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_on_the_way_forward_is_gone_on_from_and_nothing_happens_twice(desk, point):
    run = desk.go(desk.begin(), budget=0.0)
    died = run_elsewhere(run, CRASH_AT=point)
    assert died.returncode == -signal.SIGKILL, died.stderr
    ended_before = point == "saga.after_step_before_record:5"
    assert desk.row(run).state == ("completed" if ended_before else "running")
    shift_clock("orders", "21 seconds")

    if not ended_before:
        assert desk.go_on(run).state == "completed"

    assert desk.row(run).state == "completed"
    assert sorted(desk.done(run)) == FORWARD
    assert desk.written() == ["book.do"]


@pytest.mark.parametrize("point", ["saga.before_undo:1", "saga.before_undo:2", "saga.after_undo_before_record:1"])
def test_a_crash_on_the_way_back_is_gone_on_from_backward_and_nothing_happens_twice(desk, point):
    run = desk.go(desk.begin(), budget=0.0)
    died = run_elsewhere(run, plan={"pay.do": ["refuse"]}, CRASH_AT=point)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert desk.row(run).state == "compensating"
    shift_clock("orders", "21 seconds")

    assert desk.go_on(run).state == "compensated"

    assert sorted(desk.done(run)) == ["ask.do", "hold.do", "hold.undo", "pay.undo"]
    assert desk.written() == ["all.undone"]
    assert desk.tries().count("pay.do") == 1
    assert desk.row(run).refusal["code"] == "refused"


def test_a_crash_point_does_nothing_outside_of_tests(desk):
    run = desk.go(desk.begin(), budget=0.0)

    done = run_elsewhere(run, CRASH_AT="saga.before_step:1", MITOSIS_ENV="production")

    assert done.stdout == "completed\n", done.stderr
