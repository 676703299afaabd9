"""How neighbours stand is seen in one place, whichever process of the web server is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import RequestFactory

from runtime.console.neighbours import neighbours_panel
from runtime.resilience import State
from runtime.resilience.figures import neighbours
from runtime.telemetry.metrics import metrics

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def web(tmp_path: Path, monkeypatch) -> Iterator[tuple[int, int]]:
    """Two processes that write down what they see; this one reads."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.resilience.standing", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for words in (("payments=3", "users=0"), ("payments=1",))
    ]
    numbers = [int(process.stdout.readline()) for process in started if process.stdout]
    yield numbers[0], numbers[1]
    for process in started:
        process.communicate("", timeout=20)


def test_each_process_has_a_row_for_each_neighbour_it_has_asked(web):
    first, second = web

    found = {(each.callee, each.process): (each.state, each.failures) for each in neighbours()}

    assert found == {
        ("payments", first): (State.OPEN, 3),
        ("payments", second): (State.CLOSED, 1),
        ("users", first): (State.CLOSED, 0),
    }
    assert all(abs(datetime.now(UTC) - each.since) < timedelta(minutes=1) for each in neighbours())


def test_a_process_that_was_killed_leaves_no_row_behind(web):
    first, second = web

    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)

    assert [(each.callee, each.process) for each in neighbours()] == [("payments", second)]


def test_metrics_have_a_series_for_each_process_that_lives(web, settings):
    first, second = web
    settings.METRIC_COLLECTORS = ()

    text = metrics(RequestFactory().get("/metrics")).content.decode()

    assert f'mitosis_breaker_state{{callee="payments",pid="{first}"}} 2.0' in text
    assert f'mitosis_breaker_state{{callee="payments",pid="{second}"}} 0.0' in text
    assert f'mitosis_breaker_failures{{callee="payments",pid="{first}"}} 3.0' in text
    assert f'mitosis_breaker_since_timestamp_seconds{{callee="users",pid="{first}"}}' in text


@pytest.mark.django_db
def test_the_console_shows_who_is_not_asked(web, sign_in):
    first, second = web

    rows = [(row[0], row[1], row[4]) for row in neighbours_panel().rows]
    page = sign_in("support").get("/admin/").content.decode()

    assert rows == sorted([("Payments", first, 3), ("Payments", second, 1), ("Users", first, 0)])
    assert "Neighbours" in page
    assert page.count("not asked") == 1


@pytest.mark.django_db
def test_where_nobody_far_away_was_asked_the_console_shows_nothing_of_it(tmp_path, monkeypatch, sign_in):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    assert neighbours() == []
    assert "Neighbours" not in sign_in("support").get("/admin/").content.decode()
