"""Seen through the gateway, the console and the documents are one site, whoever hosts which page."""

from __future__ import annotations

import json
import re
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from config.topology import DOMAINS
from tests.shop import OPERATOR, PASSWORD, ROOT, Shop


class Browser:
    """Somebody at the console. An answer that is no success is raised."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, **form: str) -> tuple[str, str]:
        """Where one ends up, and the page there."""
        headers = {"Accept": "text/html", "Origin": self.url}
        data = urlencode(form).encode() if form else None
        with self._opener.open(Request(self.url + path, data=data, headers=headers), timeout=30) as answer:
            return answer.geturl().removeprefix(self.url), answer.read().decode()

    def send(self, path: str, **values: str) -> tuple[str, str]:
        """Open the page with a form, fill it in, send it."""
        hidden = dict(re.findall(r'name="(csrfmiddlewaretoken|key)" value="([^"]+)"', self.open(path)[1]))
        return self.open(path, **hidden, **values)


@pytest.fixture
def browser(partition: Shop) -> Browser:
    found = Browser(partition.run["http"])
    assert found.send("/admin/login/", username=OPERATOR, password=PASSWORD)[0] == "/admin/"
    return found


def test_who_signed_in_once_sees_every_page_of_every_domain(browser: Browser) -> None:
    page = browser.open("/admin/")[1]
    links = set(re.findall(r'href="(/admin/[^"?]*)"', page))
    files = set(re.findall(r'(?:href|src)="(/static/[^"]*)"', page))

    assert {link.split("/")[2] for link in links} >= set(DOMAINS)
    assert len(links) > 25
    assert len(files) > 10
    assert [path for path in links | files if browser.open(path)[0] != path] == []


def test_a_deed_in_another_group_is_done_there_and_written_down_there(partition: Shop, browser: Browser) -> None:
    sku, token = partition.product(stock=2), partition.customer()
    order_id = partition.place(token, {sku: 1}).body["id"]

    browser.send(f"/admin/orders/order/{order_id}/cancel/", reason="A mistake")

    assert partition.order(order_id)["status"] == "cancelled"
    audit = "SELECT count(*) FROM audit_auditentry WHERE object_id = %s"
    assert partition.sql("orders", audit, order_id) == [(1,)]


def test_the_documents_are_whole(partition: Shop) -> None:
    def document(path: str) -> Any:
        return partition.send("GET", path).body

    whole = json.loads((ROOT / "docs" / "openapi.json").read_text())

    assert document("/api/schema") == whole
    for domain in DOMAINS:
        own = {path for path in whole["paths"] if path.startswith(f"/api/{domain}")}
        assert set(document(f"/api/{domain}/schema")["paths"]) == own
    assert partition.send("GET", "/api/docs").status == 200
