"""Debian's Prometheus reads a running shop by the files that we deliver: what it finds is right, in each panel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
import yaml

from runtime.embedded.launch import free_port
from tests.deploy.figures_named import ALERTS, ROOT, alerts, expressions_shown, ours
from tests.shop import wait_until

pytestmark = pytest.mark.xdist_group("shop")


class Prometheus:
    """A server that reads each group of a shop, with our configuration and our alerts."""

    def __init__(self, program: str, shop: Any) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mitosis-prometheus-"))
        self._url = f"http://127.0.0.1:{free_port()}"
        inside = [urlsplit(group["inside"]).netloc for group in shop.run["groups"].values()]
        told = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
        told["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        # A worker and a relay that run beside their web server have it tell what they count.
        (job,) = [each for each in told["scrape_configs"] if each["job_name"] == "mitosis"]
        job["static_configs"] = [{"targets": inside, "labels": {"role": "web"}}]
        told["scrape_configs"] = [job]
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(told))
        shutil.copy(ALERTS, self._folder)
        words = {"config.file": "prometheus.yml", "storage.tsdb.path": "data", "log.level": "warn"}
        address = urlsplit(self._url).netloc
        command = [program, *(f"--{name}={value}" for name, value in words.items()), f"--web.listen-address={address}"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)

    def ask(self, path: str, **fields: str) -> Any:
        """What it answers, or None while it does not."""
        try:
            answer = urllib3.request("GET", f"{self._url}/api/v1/{path}", fields=fields, retries=False, timeout=10.0)
        except urllib3.exceptions.HTTPError:
            return None
        body = answer.json() if answer.status in (200, 400, 422) else {"status": "error"}
        return body.get("data") if body["status"] == "success" else None

    def value(self, expression: str) -> float:
        """Of an expression with one value; 0 where there is nothing."""
        found = (self.ask("query", query=expression) or {}).get("result", [])
        return float(found[0]["value"][1]) if found else 0.0

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="module")
def prometheus(shop: Any) -> Iterator[Prometheus]:
    program = shutil.which("prometheus")
    if program is None:
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail("Prometheus is not installed, and REQUIRE_ALL=1 says that it has to be.")
        pytest.skip("Prometheus is not installed.")
    server = Prometheus(program, shop)
    try:
        wait_until(lambda: server.value('min(up{job="mitosis"})') == 1, limit=30)
        yield server
    finally:
        server.end()


def trade(shop: Any) -> None:
    """An order that goes well, one that is declined, and one beyond the stock."""
    token = shop.customer()
    plenty, scarce = shop.product(stock=5), shop.product(stock=1)
    assert shop.place(token, {plenty: 1}).status == 201
    assert shop.place(token, {plenty: 1}, method="pm_card_declined").status == 402
    assert shop.place(token, {scarce: 2}).status == 409


def test_orders_payments_refusals_sagas_and_events_are_counted_to_the_piece(shop: Any, prometheus: Prometheus) -> None:
    counted = {
        'sum(mitosis_orders_total{status="pending"})': 3,
        'sum(mitosis_orders_total{status="confirmed"})': 1,
        'sum(mitosis_orders_total{status="cancelled", reason="payment_declined"})': 1,
        'sum(mitosis_orders_total{status="cancelled", reason="out_of_stock"})': 1,
        'sum(mitosis_payments_total{result="captured"})': 1,
        'sum(mitosis_payments_total{result="failed", reason="payment_declined"})': 1,
        "sum(mitosis_stock_refusals_total)": 1,
        'sum(mitosis_saga_runs_total{definition="orders.place_order", state="completed"})': 1,
        'sum(mitosis_saga_runs_total{definition="orders.place_order", state="compensated"})': 2,
        'sum(http_server_request_duration_seconds_count{method="POST", route="/api/orders", status="201"})': 1,
        # A worker's, which the web server of its group tells.
        'sum(mitosis_inbox_tries_total{domain="orders", event_type="PaymentCaptured", result="handled"})': 1,
    }
    waiting = "sum(mitosis_outbox_waiting) + sum(mitosis_inbox_waiting) + (sum(mitosis_sagas) or vector(0))"
    # What other journeys have left is ended first.
    wait_until(lambda: prometheus.value(f"max_over_time(({waiting})[3s:1s])") == 0, limit=60)
    before = {expression: prometheus.value(expression) for expression in counted}

    trade(shop)

    def grown() -> dict[str, float]:
        return {expression: prometheus.value(expression) - before[expression] for expression in counted}

    wait_until(lambda: all(grown()[expression] >= number for expression, number in counted.items()), limit=30)
    assert grown() == counted


def test_there_is_every_figure_that_an_alert_or_the_dashboard_names(shop: Any, prometheus: Prometheus) -> None:
    trade(shop)
    wanted = ours([alert["expr"] for alert in alerts()]) | ours(expressions_shown())
    if len(shop.run["groups"]) == 1:
        # Nobody is far away, and a breaker is between processes.
        wanted.discard("mitosis_breaker_state")

    wait_until(lambda: wanted <= set(prometheus.ask("metadata") or ()), limit=15)


def test_every_panel_and_every_alert_can_be_asked_and_all_is_well(prometheus: Prometheus) -> None:
    for expression in expressions_shown():
        assert prometheus.ask("query", query=expression) is not None, expression
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == {alert["alert"] for alert in alerts()}
    assert {rule["health"] for rule in rules} == {"ok"}
    firing = {rule["name"] for rule in rules if rule["state"] == "firing"}
    # Other journeys of this shop may leave something that waits for a person; its servers are all there.
    assert not firing & {"ProcessDown", "DatabaseDown", "BrokerDown", "BrokerDiskFull", "ProviderSilent"}


def test_what_it_reads_is_in_its_own_conventions(shop: Any) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed.")
    told = urllib3.request("GET", shop.run["metrics"]).data
    looked = subprocess.run([promtool, "check", "metrics"], input=told, capture_output=True, timeout=30, check=False)
    said = (looked.stdout + looked.stderr).decode()
    assert looked.returncode == 0, said
    assert not re.search(r"^error|no help text", said, re.M), said
