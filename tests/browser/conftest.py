"""The system's own Chromium, and a page that notes every request and every complaint."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.shop import OPERATOR, PASSWORD

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
IMAGES = Path(__file__).resolve().parents[2] / "docs/images"
# A page that is awaited may come from a machine that does other things as well. Milliseconds.
expect.set_options(timeout=20_000)
NARROW = {"width": 390, "height": 844}
WIDE = {"width": 1440, "height": 900}


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with the module: while Playwright runs, Django takes this thread for asynchronous and queries nothing."""
    program = chromium()
    if program is None:
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail("Chromium is not installed, and REQUIRE_ALL=1 says that it has to be.")
        pytest.skip("Chromium is not installed.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, headless=True, args=list(FLAGS))
        yield started
        started.close()


@dataclass(slots=True)
class Visit:
    """A page at the console, and what happened on the way: addresses elsewhere, complaints, answers that failed."""

    page: Page
    home: str
    strangers: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("request", lambda request: self._see(request.url))
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self._fail(request))

    def open(self, path: str) -> None:
        self.page.goto(self.home + path)

    def sign_in(self) -> None:
        self.open("/admin/")
        self.page.get_by_label("E-mail address").fill(OPERATOR)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(self.home + "/admin/")

    def sign_out(self) -> None:
        self.page.get_by_text(OPERATOR).first.click()
        self.page.get_by_role("button", name="Log out").click()
        self.page.wait_for_url(self.home + "/admin/login/")

    def photograph(self, name: str) -> None:
        """Into docs/images, where UPDATE_SCREENSHOTS=1 asks for it."""
        if os.environ.get("UPDATE_SCREENSHOTS") == "1":
            self.page.wait_for_timeout(300)
            self.page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")

    def overflows(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def _see(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme in {"http", "https", "ws", "wss"} and f"{parts.scheme}://{parts.netloc}" != self.home:
            self.strangers.append(address)

    def _hear(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(f"{kind}: {text}")

    def _fail(self, request: Any) -> None:
        # What a page that is left no longer waits for.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")


def visited(browser: Browser, home: str, size: dict[str, int]) -> Iterator[Visit]:
    context = browser.new_context(viewport=size, reduced_motion="reduce")
    visit = Visit(context.new_page(), home)
    visit.watch()
    yield visit
    context.close()
    assert visit.strangers == []
    assert visit.complaints == []


@pytest.fixture
def visit(browser: Browser, shop: Any) -> Iterator[Visit]:
    """A visit to the console on a desk, which leads nowhere else and raises no complaint."""
    yield from visited(browser, shop.run["http"], WIDE)


@pytest.fixture
def phone(browser: Browser, shop: Any) -> Iterator[Visit]:
    """The same on a telephone."""
    yield from visited(browser, shop.run["http"], NARROW)
