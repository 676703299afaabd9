"""An operator's way through all domains' pages in a real browser: the same in one process and through the gateway."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from playwright.sync_api import Browser, expect

from config.topology import DOMAINS
from tests.browser.conftest import WIDE, Visit, browser, visited
from tests.shop import Shop
from tests.topologies.conftest import EVERY

__all__ = ["browser"]

pytestmark = pytest.mark.parametrize("partition", EVERY, indirect=True)

OPENED = {
    "orders": ("Orders", "Dead letters"),
    "payments": ("Payments", "Money moved"),
    "inventory": ("Products", "Processes"),
    "users": ("Accounts", "Audit"),
}
"""By domain, the pages of the navigation that are opened here."""


@pytest.fixture
def visit(browser: Browser, partition: Shop) -> Iterator[Visit]:
    yield from visited(browser, partition.run["http"], WIDE)


@pytest.fixture
def order(partition: Shop) -> Any:
    """A confirmed order of three units of a new product."""
    placed = partition.place(partition.customer(), {partition.product(stock=10): 3})
    assert placed.status == 201, placed
    return placed.body


def navigation(visit: Visit) -> list[str]:
    """The addresses in the sidebar."""
    links = visit.page.locator("#nav-sidebar-apps a[href]")
    return [str(link) for link in links.evaluate_all("links => links.map(link => link.getAttribute('href'))")]


def follow(visit: Visit, domain: str, title: str) -> None:
    """Open a page from the sidebar, and the domain's part of it first."""
    link = visit.page.locator(f"#nav-sidebar-apps a[href^='/admin/{domain}/']").filter(has_text=title).first
    if not link.is_visible():
        visit.page.locator("#nav-sidebar-apps h2").filter(has_text=domain.capitalize()).click()
    link.click()


def deeds(partition: Shop, domain: str, object_id: str) -> list[str]:
    """What operators did to this, as the schema of the domain has it."""
    rows = partition.sql(domain, "SELECT action FROM audit_auditentry WHERE object_id = %s ORDER BY id", object_id)
    return [action for (action,) in rows]


# --- In, through, out -------------------------------------------------------------------------------------------------


def test_one_sign_in_opens_every_domains_pages_and_one_sign_out_closes_them(visit: Visit) -> None:
    visit.open("/admin/orders/order/")
    expect(visit.page).to_have_url(re.compile(r"/admin/login/\?next=/admin/orders/order/$"))
    visit.sign_in()
    shown = navigation(visit)
    assert {link.split("/")[2] for link in shown if link != "/admin/"} == {*DOMAINS, "runbook", "topology", "traces"}

    for domain, titles in OPENED.items():
        for title in titles:
            follow(visit, domain, title)
            expect(visit.page).to_have_url(re.compile(f"/admin/{domain}/"))
            expect(visit.page.get_by_role("heading", level=1)).to_have_text(re.compile(title[:5]))
            assert navigation(visit) == shown, title

    visit.sign_out()
    expect(visit.page.get_by_text("You are signed out.")).to_be_visible()
    for domain in DOMAINS:
        visit.open(f"/admin/{domain}/auditentry/")
        expect(visit.page).to_have_url(re.compile("/admin/login/"))


def test_every_page_of_the_navigation_answers(visit: Visit) -> None:
    visit.sign_in()

    for address in navigation(visit):
        answer = visit.page.goto(visit.home + address)
        assert answer is not None
        assert answer.status == 200, address
        expect(visit.page.get_by_role("button", name="Show or hide the navigation")).to_be_visible()


def test_the_first_page_has_the_figures_of_all_domains(visit: Visit, order: Any) -> None:
    visit.sign_in()

    expect(visit.page.get_by_role("alert")).to_have_count(0)
    expect(visit.page.locator("section.console-group h2")).to_have_text(["Orders", "Payments", "Inventory", "Users"])
    rows = visit.page.get_by_role("region", name="Machinery").get_by_role("row")
    expect(rows.get_by_role("rowheader")).to_have_text(["Orders", "Payments", "Inventory", "Users"])
    confirmed = visit.page.get_by_role("link", name=re.compile("Confirmed"))
    counted = int(confirmed.locator(".console-value").inner_text().replace(",", ""))
    confirmed.click()
    expect(visit.page.locator("#result_list tbody tr").first).to_contain_text("confirmed")
    expect(visit.page.locator("body")).to_contain_text(re.compile(rf"\b{counted}\s+orders?\b"))


def test_what_one_process_leaves_to_be_said_the_next_one_says(visit: Visit) -> None:
    visit.sign_in()
    visit.open(f"/admin/orders/order/{uuid4()}/change/")

    expect(visit.page).to_have_url(visit.home + "/admin/")
    expect(visit.page.get_by_text(re.compile("exist"))).to_be_visible()
    (cookie,) = [one for one in visit.page.context.cookies() if one["name"] == "console"]
    assert cookie["path"] == "/admin"
    visit.open("/admin/payments/payment/")
    expect(visit.page.get_by_text(re.compile("doesn.t exist"))).to_have_count(0)


def test_the_search_of_pages_finds_those_of_all_domains(visit: Visit) -> None:
    visit.sign_in()

    found = visit.page.request.get(f"{visit.home}/admin/search/?s=dead letters").text()

    assert sorted(re.findall(r'href="([^"]+)"', found)) == sorted(f"/admin/{domain}/deadletters/" for domain in DOMAINS)


def test_the_topology_is_drawn_with_who_hosts_what_and_what_crosses(visit: Visit, partition: Shop, order: Any) -> None:
    groups = partition.run.get("groups") or {"+".join(DOMAINS): {"inside": "", "domains": list(DOMAINS)}}
    home = {domain: name for name, group in groups.items() for domain in group["domains"]}
    visit.sign_in()

    def rows(title: str) -> dict[str, list[str]]:
        """Of one of the tables, by domain: who is asked by orders, or who is hosted."""
        found = visit.page.get_by_role("region", name=title).locator("tbody tr").all()
        cells = [row.get_by_role("cell").all_inner_texts() for row in found]
        return {row[1 if title == "Calls" else 0].lower(): row for row in cells}

    def seen() -> bool:
        visit.open("/admin/topology/")
        return all(float(row[3]) > 0 for row in rows("Calls").values())

    # Each process adds what it counted within two seconds.
    partition.wait_until(seen, limit=30)
    crossing = {callee: row[2] for callee, row in rows("Calls").items()}
    assert crossing == {name: "yes" if home[name] != home["orders"] else "no" for name in DOMAINS if name != "orders"}
    for domain, row in rows("Who hosts what").items():
        assert row[1] == ("hosted here" if "users" in home[domain].split("+") else "over HTTP")
        assert groups[home[domain]]["inside"] in row[4]
    picture = visit.page.get_by_role("img", name=re.compile("Who hosts what"))
    expect(picture.locator(".picture-box")).to_have_count(len(DOMAINS))
    expect(picture.locator(".picture-frame")).to_have_count(len(groups))
    # Users and inventory, which share processes in one partition, say nothing to one another.
    expect(picture.locator(".picture-crossing")).to_have_count(7 if len(groups) > 1 else 0)


# --- A deed in each domain --------------------------------------------------------------------------------------------


def test_an_order_is_cancelled_and_its_money_and_stock_come_back(visit: Visit, partition: Shop, order: Any) -> None:
    visit.sign_in()
    visit.open(f"/admin/orders/order/{order['id']}/change/")
    visit.page.get_by_role("link", name="Cancel order").click()
    visit.page.get_by_label("Reason").fill("Ordered twice.")
    visit.page.get_by_role("button", name="Cancel order").click()

    expect(visit.page.get_by_text("The order is cancelled. Money and stock follow.")).to_be_visible()
    sku = order["items"][0]["sku"]
    partition.wait_until(lambda: partition.stock(sku)["available"] == 10, limit=60)
    partition.wait_until(lambda: partition.payments(order["id"])[0]["status"] == "refunded", limit=60)
    assert deeds(partition, "orders", order["id"]) == ["orders.cancel"]


def test_part_of_a_payment_is_given_back(visit: Visit, partition: Shop, order: Any) -> None:
    visit.sign_in()
    visit.open(f"/admin/orders/order/{order['id']}/change/")
    visit.page.get_by_role("link", name="Payments", exact=True).last.click()
    visit.page.locator("#result_list tbody").get_by_role("link").first.click()
    visit.page.get_by_role("link", name="Refund").click()
    visit.page.get_by_label("Amount").fill("12.50")
    visit.page.get_by_label("Reason").fill("One of three was scratched.")
    visit.page.get_by_role("button", name="Refund").click()

    expect(visit.page.get_by_text("12.50 GBP is given back.")).to_be_visible()
    (payment,) = partition.payments(order["id"])
    assert [refund["amount"]["amount"] for refund in payment["refunds"]] == ["12.50"]
    assert deeds(partition, "payments", payment["id"]) == ["payments.refund"]


def test_stock_arrives(visit: Visit, partition: Shop) -> None:
    sku = partition.product(stock=1)
    visit.sign_in()
    visit.open(f"/admin/inventory/product/{sku}/restock/")
    visit.page.get_by_label("Units that arrived").fill("5")
    visit.page.get_by_label("Reason").fill("Delivery note 7.")
    visit.page.get_by_role("button", name="Restock").dblclick()

    expect(visit.page.get_by_text(f"5 units of {sku} arrived: 6 are on hand now.")).to_be_visible()
    assert partition.stock(sku)["onHand"] == 6
    assert deeds(partition, "inventory", sku) == ["inventory.restock"]


def test_roles_are_changed(visit: Visit, partition: Shop) -> None:
    email = f"{uuid4()}@journeys.example"
    user = {"email": email, "name": "New here", "password": "a password for the tests"}
    user_id = partition.send("POST", "/api/users", user).body["id"]
    visit.sign_in()
    visit.open(f"/admin/users/user/{user_id}/change-roles/")
    visit.page.get_by_label("support", exact=True).check()
    visit.page.get_by_label("Reason").fill("Helps at the counter.")
    visit.page.get_by_role("button", name="Change roles").click()

    expect(visit.page.get_by_text("The account has these roles now:")).to_contain_text("support")
    assert "support" in partition.send("GET", f"/api/users/{user_id}", token=partition.operator).body["roles"]
    assert deeds(partition, "users", user_id) == ["users.change_roles"]


# --- The documents ----------------------------------------------------------------------------------------------------


def test_the_documentation_shows_all_domains(visit: Visit) -> None:
    visit.open("/api/docs")

    for domain in DOMAINS:
        expect(visit.page.locator(f".opblock-tag[data-tag='{domain}']")).to_be_visible()
    expect(visit.page.locator("[data-path='/api/orders/{order_id}/timeline']")).to_be_visible()


def test_each_process_answers_with_the_same_documents_to_the_byte(partition: Shop) -> None:
    doors = [partition.run["http"], *(group["http"] for group in partition.run.get("groups", {}).values())]

    for path in ("/api/schema", "/api/docs", "/api/docs?script=", *(f"/api/{domain}/schema" for domain in DOMAINS)):
        answers = [urllib3.request("GET", door + path) for door in doors]
        assert {answer.status for answer in answers} == {200}, path
        assert len({answer.data for answer in answers}) == 1, path
