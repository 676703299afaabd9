"""When the processes of a domain do not answer, the console says so in their place, and nobody is let in unknown."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import NARROW, WIDE, Visit, browser, visited
from tests.shop import OPERATOR, PASSWORD, Shop
from tests.topologies.conftest import PARTITIONS

__all__ = ["browser"]

AWAY = re.compile("^error: Failed to load resource: .* 503 ")
"""What the browser itself notes of an answer."""


@pytest.fixture
def visit(browser: Browser, partition: Shop) -> Iterator[Visit]:
    for found in visited(browser, partition.run["http"], WIDE):
        yield found
        found.complaints = [said for said in found.complaints if not AWAY.match(said)]


@pytest.fixture
def phone(browser: Browser, partition: Shop) -> Iterator[Visit]:
    yield from visited(browser, partition.run["http"], NARROW)


@contextmanager
def stalled(partition: Shop, domain: str) -> Iterator[None]:
    """The web processes of its group take requests and answer none; the gateway has noticed."""
    name = next(name for name in partition.run["groups"] if domain in name.split("+"))
    pid = partition.pid(f"web-{name}")
    os.killpg(pid, signal.SIGSTOP)
    try:
        partition.wait_until(lambda: checks(partition).get(name) == "unhealthy", limit=30)
        yield
    finally:
        os.killpg(pid, signal.SIGCONT)
        partition.await_ready()


def checks(partition: Shop) -> dict[str, Any]:
    """What the gateway says of each group."""
    found = partition.send("GET", "/health/ready").body["checks"]
    return {name: check["status"] for name, check in found.items()}


def photograph(visit: Visit, partition: Shop, name: str) -> None:
    """One picture is enough of what two topologies show."""
    if partition.environ["TOPOLOGY"] == PARTITIONS[0]:
        visit.photograph(name)


def test_a_domain_out_of_reach_says_so_in_its_place_and_the_others_go_on(visit: Visit, partition: Shop) -> None:
    visit.sign_in()
    with stalled(partition, "payments"):
        visit.open("/admin/")
        expect(visit.page.get_by_role("alert")).to_have_count(1)
        expect(visit.page.get_by_role("alert")).to_contain_text("Payments cannot be asked now. The others go on.")
        row = visit.page.get_by_role("region", name="Machinery").get_by_role("row", name=re.compile("^Payments"))
        expect(row).to_contain_text("It cannot be asked now.")
        expect(visit.page.get_by_role("link", name=re.compile("On sale"))).to_be_visible()
        photograph(visit, partition, "console-domain-away")

        visit.page.get_by_role("link", name="Try its own page").click()
        expect(visit.page.get_by_role("heading", name="Payments cannot be reached")).to_be_visible()
        expect(visit.page.get_by_role("alert")).to_contain_text("Nothing was changed. The pages of the other domains")
        photograph(visit, partition, "console-page-away")
        answer = visit.page.goto(f"{visit.home}/admin/payments/payment/1/refund/")
        assert answer is not None
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        visit.open("/admin/orders/order/")
        expect(visit.page.get_by_role("heading", name="Orders")).to_be_visible()

    visit.open("/admin/payments/payment/")
    expect(visit.page.get_by_role("heading", name="Payments")).to_be_visible()


@pytest.mark.apart
def test_who_is_not_asked_any_more_is_red_in_the_topology(visit: Visit, phone: Visit, partition: Shop) -> None:
    sku, customer = partition.product(stock=100), partition.customer()

    def place(count: int) -> set[int]:
        with ThreadPoolExecutor(count) as buyers:
            return {answer.status for answer in buyers.map(lambda _: partition.place(customer, {sku: 1}), range(count))}

    def told() -> list[str]:
        visit.open("/admin/topology/?minutes=1")
        return visit.page.locator(".picture-box.picture-bad").all_text_contents()

    quiet = visit.page.locator(".picture-call").filter(has_text=re.compile(r"(?<![\d.,])0/min"))
    for _ in range(10):
        assert place(2) <= {201, 202}
    for visitor in (visit, phone):
        visitor.sign_in()
    partition.wait_until(lambda: told() == [] and quiet.count() == 0, limit=20)
    photograph(visit, partition, "console-topology")
    phone.open("/admin/topology/?minutes=1")
    assert not phone.overflows()
    photograph(phone, partition, "console-topology-phone")

    with stalled(partition, "payments"):
        assert [place(6), place(6)] == [{202}, {202}]
        partition.wait_until(lambda: any("Payments" in words for words in told()), limit=30)
        asked = visit.page.locator(".picture-call.picture-bad")
        expect(asked.locator("title")).to_have_text(["Orders to Payments"])
        expect(asked).to_contain_text("failed")
        hosting = visit.page.get_by_role("region", name="Who hosts what").get_by_role("row")
        expect(hosting.filter(has_text="not asked now")).to_have_count(1)
        photograph(visit, partition, "console-topology-away")


def test_while_users_is_out_of_reach_nobody_is_let_in_and_nobody_is_signed_out(visit: Visit, partition: Shop) -> None:
    visit.sign_in()
    with stalled(partition, "users"):
        # Long enough that nothing is believed any longer of what users said.
        partition.wait_until(
            lambda: visit.page.request.get(f"{visit.home}/admin/orders/order/").status == 503, limit=40
        )
        for path in ("/admin/", "/admin/orders/order/", "/admin/users/user/"):
            answer = visit.page.goto(visit.home + path)
            assert answer is not None
            assert (answer.status, answer.headers["retry-after"]) == (503, "5"), path
            expect(visit.page.get_by_role("heading", name="Nobody is let in now")).to_be_visible()
            expect(visit.page.get_by_role("alert")).to_contain_text("Try again in a moment.")
            expect(visit.page.locator("#nav-sidebar-apps")).to_have_count(0)
        photograph(visit, partition, "console-users-away")

    # Orders has left users alone, and asks again in a few seconds.
    partition.wait_until(lambda: visit.page.request.get(f"{visit.home}/admin/orders/order/").status == 200, limit=30)
    visit.open("/admin/orders/order/")
    expect(visit.page.get_by_role("heading", name="Orders")).to_be_visible()


def test_while_users_is_out_of_reach_a_sign_in_is_refused_with_what_to_do_next(visit: Visit, partition: Shop) -> None:
    with stalled(partition, "users"):
        visit.open("/admin/")
        visit.page.get_by_label("E-mail address").fill(OPERATOR)
        visit.page.get_by_label("Password").fill(PASSWORD)
        visit.page.get_by_role("button", name="Log in").click()

        expect(visit.page.get_by_text("Nobody can be signed in now")).to_contain_text("Try again in a moment.")
        assert [cookie["name"] for cookie in visit.page.context.cookies()] == ["csrftoken"]
        expect(visit.page.get_by_text("Please correct the error below.")).to_be_hidden()

    visit.sign_in()
    expect(visit.page.get_by_role("heading", name="Overview")).to_be_visible()
