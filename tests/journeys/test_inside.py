"""The inside port answers with metrics and nothing else; the public one never does."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

pytestmark = pytest.mark.xdist_group("shop")


def figures(shop: Any) -> list[str]:
    """All groups' together: each counts its own requests and looks at its own domains."""
    inside = [group["inside"] for group in shop.run["groups"].values()]
    return [line for url in inside for line in urllib3.request("GET", f"{url}/metrics").data.decode().splitlines()]


def test_metrics_count_requests_on_a_port_of_their_own(shop: Any) -> None:
    assert shop.send("GET", "/api/inventory/products").status == 200
    answer = urllib3.request("GET", shop.run["metrics"])
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    lines = figures(shop)
    wanted = 'http_server_request_duration_seconds_count{method="GET",route="/api/inventory/products",status="200"} '
    (counted,) = [line for line in lines if line.startswith(wanted)]
    assert float(counted.removeprefix(wanted)) >= 1


def test_metrics_say_how_events_fare_in_each_domain_and_queue(shop: Any) -> None:
    lines = figures(shop)
    found = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith("mitosis_")}
    for domain in ("users", "inventory", "payments", "orders"):
        assert found[f'mitosis_inbox_parked{{domain="{domain}"}}'] == 0
        assert found[f'mitosis_outbox_attempts{{domain="{domain}"}}'] >= 0
        assert found[f'mitosis_outbox_oldest_seconds{{domain="{domain}"}}'] < 60
        assert found[f'mitosis_queue_depth{{queue="{domain}"}}'] >= 0


def test_metrics_are_a_404_on_the_public_port_whatever_the_host_header_says(shop: Any) -> None:
    inside = urlsplit(shop.run["metrics"]).netloc
    for path in ("/metrics", "/metrics/", "//metrics", "/%6detrics"):
        for host in (urlsplit(shop.run["http"]).netloc, inside):
            assert shop.send("GET", path, host=host).status == 404


def test_the_shop_is_a_404_on_the_inside_port(shop: Any) -> None:
    inside = shop.run["metrics"].removesuffix("/metrics")
    for path in ("/api/inventory/products", "/api/schema", "/admin/"):
        assert urllib3.request("GET", inside + path).status == 404
    # What other services and Consul ask of the door that they use.
    assert urllib3.request("GET", f"{inside}/health/ready", timeout=30.0).status == 200
