"""Alerts and dashboard hold what they promise: they can be read, are tested, say what to do, and name what there is."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.utils.module_loading import import_string
from prometheus_client import REGISTRY

from tests.deploy.figures_named import ALERTS, ROOT, alerts, expressions_shown, ours

FOLDER = ROOT / "deploy/prometheus"
RUNBOOK = (ROOT / "docs/runbook.md").read_text()


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail("promtool is not installed, and REQUIRE_ALL=1 says that it has to be.")
        pytest.skip("promtool is not installed (Debian: prometheus).")
    return found


def run(*command: str | Path) -> str:
    """What it said. Fails the test where it says no."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_alerts_are_told_when_they_should_be_and_not_otherwise(promtool):
    assert "SUCCESS" in run(promtool, "test", "rules", FOLDER / "alerts_test.yml")


def test_prometheus_reads_its_files(promtool, tmp_path):
    assert f"{len(alerts())} rules found" in run(promtool, "check", "config", FOLDER / "prometheus.yml")
    # Debian's is built without a client of Kubernetes: all but the finding of pods is looked at.
    kubernetes = yaml.safe_load((FOLDER / "kubernetes.yml").read_text())
    (job,) = kubernetes["scrape_configs"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    (tmp_path / "kubernetes.yml").write_text(yaml.safe_dump(kubernetes))
    shutil.copy(ALERTS, tmp_path)
    run(promtool, "check", "config", tmp_path / "kubernetes.yml")


def test_each_alert_is_tested_both_ways():
    tested = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    looks = [(look["alertname"], bool(look.get("exp_alerts"))) for each in tested for look in each["alert_rule_test"]]

    assert set(looks) == {(alert["alert"], told) for alert in alerts() for told in (True, False)}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_each_alert_says_what_to_do_and_the_runbook_has_a_section_for_it(alert):
    assert set(alert["annotations"]) == {"summary", "action", "runbook"}
    assert alert["annotations"]["runbook"] == f"docs/runbook.md#{alert['alert'].lower()}"
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.M | re.S))
    assert "- **Look**: " in sections[alert["alert"]]
    assert "- **Do**: " in sections[alert["alert"]]


def test_the_runbook_has_no_section_without_an_alert_and_no_link_that_leads_nowhere():
    sections = re.findall(r"^## (\w+)$", RUNBOOK, re.M)

    assert sections == [alert["alert"] for alert in alerts()]
    assert set(re.findall(r"\(#(\w+)\)", RUNBOOK)) <= {section.lower() for section in sections}


COUNTING = ("runtime.http.request_ids", "runtime.resilience.figures", "runtime.saga.engine", "runtime.messaging")


def test_alerts_and_dashboard_name_no_figure_that_there_is_not(committed):
    for module in COUNTING:
        importlib.import_module(module)
    import_string(settings.EVENT_FIGURES)
    families = list(REGISTRY.collect())
    for path in settings.METRIC_COLLECTORS:
        families += import_string(path)().collect()
    # One that a process makes with its first request.
    names = {"http_server_active_requests", *(f"{x.name}_total" if x.type == "counter" else x.name for x in families)}

    assert ours([alert["expr"] for alert in alerts()]) - names == set()
    assert ours(expressions_shown()) - names == set()


def test_each_figure_has_a_base_unit_or_none_and_says_what_it_is():
    import_string(settings.EVENT_FIGURES)
    our_own = [each for each in REGISTRY.collect() if each.name.startswith(("mitosis_", "http_"))]

    assert len(our_own) > 10
    for each in our_own:
        assert len(each.documentation) > 20, each.name
        assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|percent)$", each.name), each.name
        if each.type == "histogram":
            assert each.name.endswith("_seconds"), each.name
