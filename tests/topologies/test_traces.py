"""One order is one trace, wherever its domains are hosted, and an operator finds it from the order's page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, expect

from runtime.telemetry.traces import RecentTraces, Recorded
from tests.browser.conftest import NARROW, WIDE, Visit, browser, visited
from tests.shop import PASSWORD, Shop, wait_until
from tests.topologies.conftest import EVERY

__all__ = ["browser"]

pytestmark = pytest.mark.parametrize("partition", EVERY, indirect=True)

OUTSIDE = "00f067aa0ba902b7"
"""The customer's own span, which is none of ours."""

CALLS = ("inventory/quote", "users/validate", "inventory/reserve", "payments/charge")
HOPS = (
    ("POST /api/orders", "saga orders.place_order"),
    ("saga orders.place_order", "validate_user do"),
    ("saga orders.place_order", "reserve_inventory do"),
    ("saga orders.place_order", "process_payment do"),
    ("saga orders.place_order", "confirm_order do"),
    ("POST /api/orders", "inventory/quote"),
    ("validate_user do", "users/validate"),
    ("reserve_inventory do", "inventory/reserve"),
    ("process_payment do", "payments/charge"),
    ("payments/charge", "create payments:payment.captured"),
    ("create payments:payment.captured", "send payments:payment.captured"),
    ("create payments:payment.captured", "process payments:payment.captured"),
)
"""A span, and one that is a part of it."""


class Placed:
    """An order of two lines whose customer wants its trace kept, and what was recorded of it."""

    def __init__(self, shop: Shop) -> None:
        self.trace_id = uuid4().hex
        email = f"canary-{uuid4().hex}@journeys.example"
        wanted = {"email": email, "name": "Canary Quince", "password": PASSWORD}
        assert shop.send("POST", "/api/users", wanted).status == 201
        wrong = {"email": email, "password": "canary and not the password"}
        assert shop.send("POST", "/api/users/token", wrong).status == 401
        token = shop.sign_in(email)
        items = [{"sku": shop.product(stock=10), "quantity": units} for units in (2, 1)]
        body = {"items": items, "paymentMethod": "pm_card_visa", "note": "Leave it with canary Quince"}
        traceparent = f"00-{self.trace_id}-{OUTSIDE}-01"
        answer = shop.send(
            "POST", "/api/orders", body, token=token, idempotency_key=str(uuid4()), traceparent=traceparent
        )
        assert answer.status == 201, answer
        self.canaries = (email, "Quince", "canary", PASSWORD, token.rpartition(".")[2], "pm_card_visa")
        self.order, self.returned = answer.body, answer.headers["traceparent"]
        self._traces = RecentTraces(shop.run["cache"])
        sides = 2 if len(shop.run["groups"]) > 1 else 1
        wait_until(lambda: self._is_whole(sides), limit=30)

    def _is_whole(self, sides: int) -> bool:
        """Each process sends its spans in its own time, and of a call between two of them each has one."""
        spans = self.spans()
        known = {span.span_id for span in spans}
        return (
            {name for hop in HOPS for name in hop} <= {span.name for span in spans}
            and all(len({span.kind for span in spans if span.name == call}) == sides for call in CALLS)
            and sum(span.parent_id not in known for span in spans) == 1
        )

    def spans(self) -> list[Recorded]:
        return self._traces.find(self.trace_id)


@pytest.fixture(scope="module")
def placed() -> dict[str, Placed]:
    return {}


@pytest.fixture
def traced(partition: Shop, placed: dict[str, Placed]) -> Placed:
    """One for all questions of a partition."""
    return placed.setdefault(partition.run["http"], Placed(partition))


@pytest.fixture
def visit(browser: Browser, partition: Shop) -> Iterator[Visit]:
    yield from visited(browser, partition.run["http"], WIDE)


def test_every_hop_of_an_order_is_in_one_trace_below_the_one_that_led_to_it(partition: Shop, traced: Placed) -> None:
    spans = traced.spans()
    by_id = {span.span_id: span for span in spans}
    # Of a call between two processes both sides have a span of its name: the caller's is the upper one.
    led = {(by_id[span.parent_id].name, span.name) for span in spans if span.parent_id in by_id}

    assert [span.name for span in spans if span.parent_id not in by_id] == ["POST /api/orders"]
    assert traced.returned.split("-")[1] == traced.trace_id
    assert [hop for hop in HOPS if hop not in led] == []
    split = len(partition.run["groups"]) > 1
    assert {span.service for span in spans} == (set(partition.run["groups"]) if split else {"mitosis"})
    for call in CALLS:
        assert {span.kind for span in spans if span.name == call} == ({"client", "server"} if split else {"internal"})
    assert any("db.system.name" in span.attributes for span in spans)


def test_a_trace_says_whose_order_it_is_and_how_large_and_nothing_personal(partition: Shop, traced: Placed) -> None:
    spans = traced.spans()
    root = next(span for span in spans if span.parent_id == OUTSIDE)
    order = traced.order

    assert {name: value for name, value in root.attributes.items() if name.startswith(("order.", "http."))} == {
        "http.request.method": "POST",
        "http.route": "/api/orders",
        "http.response.status_code": 201,
        "order.id": order["id"],
        "order.userId": order["userId"],
        "order.itemCount": 2,
        "order.totalAmount": "30.00",
        "order.currency": "GBP",
    }
    told = json.dumps([[span.name, span.attributes] for span in spans])
    assert [canary for canary in traced.canaries if canary in told] == []


def test_the_log_has_a_line_for_each_request_and_event_with_its_ids_and_nothing_personal(
    partition: Shop, traced: Placed
) -> None:
    logs = {file.stem: file.read_text() for file in (partition.folder / "log").glob("*.log")}
    lines = [line for log in logs.values() for line in log.splitlines() if f"trace_id={traced.trace_id}" in line]
    asked = [line for line in lines if " runtime.http.access request " in line]
    heard = [line for line in lines if " runtime.messaging.events event " in line]
    order = f"order_id={traced.order['id']}"

    # Each call over the wire is a request of its own.
    (ours,) = [line for line in asked if "route=/api/orders " in line]
    assert len(asked) == (1 + len(CALLS) if len(partition.run["groups"]) > 1 else 1)
    for fact in ("method=POST", "status=201", f"principal={traced.order['userId']}", "request_id=", order):
        assert fact in ours
    (event,) = heard
    for fact in ("event_type=PaymentCaptured", "consumer=orders", "outcome=handled", "attempt=1", order):
        assert fact in event
    assert [(name, canary) for name, log in logs.items() for canary in traced.canaries if canary in log] == []


def test_one_click_on_the_orders_page_shows_its_trace_as_a_waterfall(
    visit: Visit, partition: Shop, traced: Placed
) -> None:
    visit.sign_in()
    visit.open(f"/admin/orders/order/{traced.order['id']}/change/")
    visit.page.get_by_role("link", name="Trace of: Confirmed.").click()

    expect(visit.page).to_have_url(re.compile(f"/admin/traces/{traced.trace_id}/$"))
    rows = visit.page.locator(".console-waterfall tbody tr")
    expect(rows).to_have_count(len(traced.spans()))
    expect(rows.first).to_contain_text("POST /api/orders")
    rows.filter(has_text="POST /api/orders").first.locator("summary").click()
    expect(rows.first).to_contain_text(traced.order["userId"])
    rows.first.locator("summary").click()
    visit.page.get_by_role("link", name="Without SQL").click()
    expect(visit.page.locator(".console-bar-sql")).to_have_count(0)
    expect(visit.page.get_by_text("process_payment do")).to_be_visible()
    if len(partition.run["groups"]) > 1:
        visit.photograph("console-trace")
    visit.page.set_viewport_size(NARROW)
    assert not visit.overflows()
