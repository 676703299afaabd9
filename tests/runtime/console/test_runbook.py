"""The runbook as a page: every alert finds its section, and nothing in it leads anywhere that is not here."""

from __future__ import annotations

import re

import pytest

from runtime.console.runbook import read
from tests.deploy.figures_named import alerts


@pytest.mark.django_db
def test_every_alert_finds_its_section(sign_in) -> None:
    page = sign_in("support").get("/admin/runbook/").content.decode()

    anchors = [alert["annotations"]["runbook"].partition("#")[2] for alert in alerts()]
    assert re.findall(r'<h2 id="(\w+)">', page) == anchors
    assert page.count('href="/admin/runbook/"') == 1
    assert ".md" not in page.partition('class="console-prose"')[2]


@pytest.mark.django_db
def test_nobody_reads_it_without_signing_in(client, sign_in) -> None:
    assert client.get("/admin/runbook/").headers["Location"] == "/admin/login/?next=/admin/runbook/"
    assert sign_in("support").post("/admin/runbook/").status_code == 405


def test_a_section_has_its_title_as_its_anchor_and_leads_to_others() -> None:
    found = read("# A title\n\n## DiskFull\nSee [it](#relay), `a<b`.\n\n## Relay\n")

    assert found.sections == (("diskfull", "DiskFull"), ("relay", "Relay"))
    assert "A title" not in found.body
    assert '<h2 id="relay">Relay</h2>' in found.body
    assert '<a href="#relay" class="console-link">it</a>, <code>a&lt;b</code>' in found.body


def test_what_leads_out_of_it_is_words_and_html_is_text() -> None:
    text = (
        "[a page](console.md) [a host](https://elsewhere.example) [both](#here)\n\n<script>alert(1)</script> <b>x</b>\n"
    )
    body = read(text).body

    assert '<p>a page a host <a href="#here" class="console-link">both</a></p>' in body
    assert "elsewhere" not in body
    assert "<script" not in body
    assert "&lt;b&gt;x&lt;/b&gt;" in body
