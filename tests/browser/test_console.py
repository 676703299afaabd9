"""An operator's day in a real browser: nothing is fetched from elsewhere, and nothing complains."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

pytestmark = pytest.mark.xdist_group("shop")


@pytest.fixture(scope="module")
def goods(shop: Any) -> str:
    """A product of the sample catalogue, with orders behind it that ended in several ways."""
    sku, customer = "TEA-SENCHA", shop.customer()
    for method in ("pm_card_visa", "pm_card_visa", "pm_card_declined", "pm_card_insufficient_funds"):
        shop.place(customer, {sku: 2}, method=method)
    shop.place(customer, {sku: 100_000})
    return sku


@pytest.fixture
def order(shop: Any, goods: str) -> str:
    """A confirmed order's id."""
    placed = shop.place(shop.customer(), {goods: 3})
    assert placed.status == 201, placed
    return str(placed.body["id"])


def test_an_operator_signs_in_and_sees_how_the_shop_does(visit: Visit, goods: str) -> None:
    visit.sign_in()

    expect(visit.page.get_by_role("heading", name="Overview")).to_be_visible()
    captured = visit.page.get_by_role("link", name=re.compile("Captured today"))
    expect(captured).to_contain_text(re.compile(r"\d+\.\d\d GBP"))
    visit.photograph("console-overview")

    visit.page.get_by_role("link", name=re.compile("Refused: payment declined")).click()
    expect(visit.page.locator("#result_list tbody tr").first).to_contain_text("payment_declined")


def test_a_wrong_password_is_said_and_opens_nothing(visit: Visit) -> None:
    visit.open("/admin/")
    visit.photograph("console-sign-in")
    visit.page.get_by_label("E-mail address").fill("nobody@journeys.example")
    visit.page.get_by_label("Password").fill("a wrong one")
    visit.page.keyboard.press("Enter")

    expect(visit.page.get_by_text("The e-mail address or the password is wrong")).to_be_visible()
    # The browser itself notes the 401 of the form.
    visit.complaints = [said for said in visit.complaints if "401" not in said]


def test_an_order_is_looked_at_and_shipped(visit: Visit, shop: Any, goods: str, order: str) -> None:
    visit.sign_in()
    visit.open("/admin/orders/order/")
    visit.page.get_by_placeholder("An order's id").fill(order)
    visit.page.keyboard.press("Enter")
    visit.page.locator("#result_list tbody").get_by_role("link").first.click()
    for title, words in (
        ("Lines", goods),
        ("Timeline", "Ask for the money: done."),
    ):
        expect(visit.page.get_by_role("region", name=title)).to_contain_text(words)
    visit.photograph("console-order")
    for title, words in (("Stream", "OrderConfirmed"), ("Process orders.place_order", "confirm_order")):
        expect(visit.page.get_by_role("region", name=title)).to_have_count(0)
        visit.page.locator("summary", has_text=title).click()
        expect(visit.page.get_by_role("region", name=title)).to_contain_text(words)

    visit.page.get_by_role("link", name="Ship order").click()
    expect(visit.page.get_by_text("Its 3 reserved units leave the shelf")).to_be_visible()
    visit.page.get_by_label("Carrier").fill("Royal Mail")
    visit.page.get_by_label("Tracking number").fill("RM123456785GB")
    visit.photograph("console-ship")
    visit.page.get_by_role("button", name="Ship order").dblclick()

    expect(visit.page.get_by_text("The order is shipped with Royal Mail.")).to_be_visible()
    expect(visit.page.get_by_role("link", name="Mark as delivered")).to_be_visible()
    assert shop.order(order)["status"] == "shipped"
    assert shop.sql("orders", "SELECT action FROM audit_auditentry WHERE object_id = %s", order) == [("orders.ship",)]


def test_goods_are_taken_back_and_from_the_picture_a_moments_trace_is_one_click_away(
    visit: Visit, phone: Visit, shop: Any, goods: str
) -> None:
    wanted = {"traceparent": f"00-{uuid4().hex}-00f067aa0ba902b7-01"}
    order = shop.place(shop.customer(), {goods: 3}, **wanted).body["id"]
    for path, body in (("ship", {"carrier": "Royal Mail", "trackingNumber": "RM123456785GB"}), ("deliver", None)):
        sent = shop.send("POST", f"/api/orders/{order}/{path}", body, token=shop.operator, **wanted)
        assert sent.status == 200, sent
    visit.sign_in()
    visit.open(f"/admin/orders/order/{order}/change/")
    visit.page.get_by_role("link", name="Take goods back").click()
    visit.page.get_by_label("Units of TEA-SENCHA that came back, of 3").fill("2")
    visit.page.get_by_label("Reason").fill("Two of three were torn.")
    visit.page.get_by_role("button", name="Show what will happen").click()
    expect(visit.page.get_by_text("25.00 GBP goes back to the customer, within a minute.")).to_be_visible()
    assert "returns" not in shop.order(order)
    visit.photograph("console-return")
    visit.page.get_by_role("button", name="Take goods back").click()
    expect(visit.page.get_by_text("2 x TEA-SENCHA came back: 25.00 GBP is given back")).to_be_visible()

    story = visit.page.get_by_role("region", name="Timeline")
    confirmed = story.get_by_role("row").filter(has_text="OrderConfirmed")
    expect(confirmed.get_by_role("img", name="done")).to_be_visible()

    def is_told() -> bool:
        """The shelf follows an event, and a trace is there once its processes have sent their parts."""
        visit.page.reload()
        return story.get_by_text("Back on the shelf").count() == 1 and confirmed.get_by_role("link").count() == 1

    shop.wait_until(is_told, limit=30)
    returned = story.get_by_role("row").filter(has_text="OrderReturned")
    expect(returned.get_by_role("img", name="given back or undone")).to_be_visible()
    visit.page.get_by_role("heading", name="Timeline").evaluate("heading => heading.scrollIntoView()")
    visit.photograph("console-timeline")
    phone.sign_in()
    phone.open(f"/admin/orders/order/{order}/change/")
    phone.page.get_by_role("heading", name="Timeline").evaluate("heading => heading.scrollIntoView()")
    phone.photograph("console-timeline-phone")
    assert phone.page.get_by_role("region", name="Timeline").evaluate("it => it.scrollWidth <= it.clientWidth")

    confirmed.get_by_role("link", name="Trace of: Confirmed.").click()
    expect(visit.page.get_by_role("region", name="Waterfall")).to_contain_text("saga orders.place_order")


def test_stock_is_adjusted(visit: Visit, shop: Any, goods: str) -> None:
    sku = shop.product(stock=10)
    visit.sign_in()
    visit.open(f"/admin/inventory/product/{sku}/change/")
    visit.page.get_by_role("link", name="Adjust stock").click()

    visit.page.get_by_label("Units more, or (with a minus) fewer").fill("-3")
    visit.page.get_by_label("Reason").fill("Broken in the store room.")
    visit.photograph("console-adjust")
    visit.page.get_by_role("button", name="Adjust stock").click()

    expect(visit.page.get_by_text(f"{sku} is adjusted by -3: 7 are on hand now.")).to_be_visible()
    assert shop.stock(sku)["onHand"] == 7


def test_a_refusal_is_said_and_the_form_is_kept(visit: Visit, shop: Any) -> None:
    sku = shop.product(stock=10)
    shop.place(shop.customer(), {sku: 8})
    visit.sign_in()
    visit.open(f"/admin/inventory/product/{sku}/adjust/")

    visit.page.get_by_label("Units more, or (with a minus) fewer").fill("-5")
    visit.page.get_by_label("Reason").fill("Counted.")
    visit.page.get_by_role("button", name="Adjust stock").click()
    expect(visit.page.get_by_text("fewer units than are held for orders")).to_be_visible()
    visit.page.get_by_label("Units more, or (with a minus) fewer").fill("-2")
    visit.page.get_by_role("button", name="Adjust stock").click()

    expect(visit.page.get_by_text("8 are on hand now.")).to_be_visible()
    # The browser itself notes the 409 of the form.
    visit.complaints = [said for said in visit.complaints if "409" not in said]


def test_part_of_a_payment_is_given_back_from_the_orders_page(visit: Visit, shop: Any, order: str) -> None:
    visit.sign_in()
    visit.open(f"/admin/orders/order/{order}/change/")
    visit.page.get_by_role("link", name="Payments", exact=True).last.click()
    visit.page.locator("#result_list tbody").get_by_role("link").first.click()
    visit.page.get_by_role("link", name="Refund").click()

    expect(visit.page.get_by_label("Amount")).to_have_value("37.50")
    visit.page.get_by_label("Amount").fill("12.50")
    visit.page.get_by_label("Reason").fill("One of three was scratched.")
    visit.photograph("console-refund")
    visit.page.get_by_role("button", name="Refund").click()

    expect(visit.page.get_by_text("12.50 GBP is given back.")).to_be_visible()
    (payment,) = shop.payments(order)
    assert [refund["amount"]["amount"] for refund in payment["refunds"]] == ["12.50"]
    visit.open("/admin/payments/auditentry/")
    visit.photograph("console-audit")
    expect(visit.page.get_by_text("One of three was scratched.").first).to_be_visible()


def test_a_process_that_is_stuck_is_found_from_the_first_page_and_goes_on(visit: Visit, shop: Any, goods: str) -> None:
    placed = shop.place(shop.customer(), {goods: 1}, method="pm_card_async")
    error = "process_payment was tried for 3600 s and did not end: the provider does not answer"
    stop = (
        "UPDATE saga_sagarun SET state = 'needs_attention', error = %s, lease_until = NULL, attempts = 240,"
        " epoch = epoch + 1 WHERE subject = %s RETURNING id::text"
    )
    ((run_id,),) = shop.sql("orders", stop, error, placed.body["id"])
    visit.sign_in()
    machinery = visit.page.get_by_role("region", name="Machinery")
    machinery.get_by_role("row", name=re.compile("^Orders")).get_by_role("link").first.click()
    expect(visit.page.locator("#result_list tbody")).to_contain_text("needs attention")
    visit.open(f"/admin/orders/sagarun/{run_id}/change/")
    expect(visit.page.get_by_text(error)).to_be_visible()
    expect(visit.page.get_by_role("link", name="Undo all")).to_be_visible()
    visit.photograph("console-process")

    visit.page.get_by_role("link", name="Try again").click()
    expect(visit.page.get_by_text("process_payment is tried again, under the key it always had")).to_be_visible()
    visit.page.get_by_label("Reason").fill("The provider is back.")
    visit.page.get_by_role("button", name="Try again").click()

    expect(visit.page.get_by_text("orders.place_order goes on at process_payment")).to_be_visible()
    assert shop.await_status(placed.body["id"], "confirmed", limit=30)["status"] == "confirmed"


# --- Keys and small screens -------------------------------------------------------------------------------------------


def test_the_keyboard_is_enough(visit: Visit, shop: Any, order: str) -> None:
    visit.sign_in()
    visit.open(f"/admin/orders/order/{order}/change/")

    _tab_to(visit, "Cancel order")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_text("What will happen")).to_be_visible()
    _tab_to(visit, "reason")
    visit.page.keyboard.type("The customer called.")
    _tab_to(visit, "Cancel order")
    visit.page.keyboard.press("Enter")

    expect(visit.page.get_by_text("The order is cancelled.")).to_be_visible()
    assert shop.order(order)["status"] == "cancelled"


def test_the_menus_open_and_the_way_out_is_found_by_keyboard(visit: Visit) -> None:
    visit.sign_in()

    _tab_to(visit, "Orders")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("link", name="Processes").first).to_be_visible()
    _tab_to(visit, "operator@journeys.example")
    visit.page.keyboard.press("Enter")
    _tab_to(visit, "Log out", key="Shift+Tab")
    visit.page.keyboard.press("Enter")

    expect(visit.page.get_by_text("You are signed out.")).to_be_visible()


def _tab_to(visit: Visit, words: str, *, key: str = "Tab") -> None:
    """Press the key until what has the focus says these words, or is the field of this name."""
    for _ in range(80):
        visit.page.keyboard.press(key)
        focused = visit.page.evaluate(
            "(e => e === document.body ? '' : `${e.name || ''} ${e.innerText}`)(document.activeElement)"
        )
        if words in focused:
            return
    raise AssertionError(f"{key} never leads to {words!r}.")


def test_no_page_is_wider_than_a_telephone(phone: Visit, shop: Any, order: str, goods: str) -> None:
    phone.sign_in()
    (payment,) = shop.payments(order)
    pages = (
        "/admin/",
        "/admin/orders/order/",
        f"/admin/orders/order/{order}/change/",
        f"/admin/orders/order/{order}/ship/",
        f"/admin/inventory/product/{goods}/change/",
        "/admin/inventory/product/add-product/",
        f"/admin/payments/payment/{payment['id']}/change/",
        "/admin/users/user/",
        "/admin/orders/outboxmessage/",
        "/admin/orders/sagarun/",
        "/admin/orders/auditentry/",
        "/admin/topology/",
        "/admin/runbook/",
    )
    for path in pages:
        phone.open(path)
        phone.page.wait_for_timeout(100)
        assert not phone.overflows(), path
    phone.open(f"/admin/orders/order/{order}/change/")
    phone.photograph("console-order-phone")


def test_the_navigation_opens_on_a_telephone(phone: Visit, goods: str) -> None:
    phone.sign_in()
    phone.photograph("console-overview-phone")

    phone.page.get_by_role("button", name="Show or hide the navigation").click()
    phone.page.get_by_role("button", name="Inventory").click()
    phone.page.get_by_role("link", name="Products").click()

    expect(phone.page.get_by_role("heading", name="Products")).to_be_visible()
    assert not phone.overflows()
