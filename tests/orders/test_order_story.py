"""An order's page draws what happened: to whom, how it ended, and what hangs now."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from apps.orders.models import Order
from apps.payments import queries
from contracts._base import Unavailable
from runtime.calls import current_call
from runtime.calls.routing import _client
from runtime.console.timelines import Kind, Timeline
from runtime.databases.clock import Now
from runtime.messaging.models import OutboxMessage
from runtime.saga.models import SagaRun
from runtime.telemetry import sending
from runtime.telemetry.spans import entering
from tests.trade import Trade

pytestmark = pytest.mark.django_db

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def picture(sign_in):
    """``picture(order)``: the page's text and the timeline that is drawn on it."""
    reader = sign_in("support")

    def look(order: Order) -> tuple[str, Timeline]:
        answer = reader.get(f"/admin/orders/order/{order.id}/change/")
        assert answer.status_code == 200
        (drawn,) = [panel for panel in answer.context["panels"] if isinstance(panel, Timeline)]
        return answer.content.decode(), drawn

    return look


def told(drawn: Timeline, lane: str) -> list[tuple[Kind, str]]:
    return [(row.moment.kind, row.moment.words) for row in drawn.rows if row.moment.lane == lane]


def away(order_id: UUID) -> None:
    raise Unavailable


def test_an_order_that_came_back_is_told_from_end_to_end(picture, sign_in, trade: Trade) -> None:
    order = trade.delivered(units=2, sku=(sku := trade.product()))
    sign_in("operator").act(f"/admin/orders/order/{order.id}/return/", units_1="1", reason="Torn.")

    page, drawn = picture(order)

    assert [lane.title for lane in drawn.lanes] == ["Order", "Process", "Payments", "Inventory"]
    assert [lane.trouble for lane in drawn.lanes] == [""] * 4
    assert told(drawn, "Order") == [
        (Kind.DONE, f"Placed: 2 x {sku} for 25.00 GBP."),
        (Kind.DONE, "Confirmed."),
        (Kind.DONE, "Shipped with Royal Mail, RM1."),
        (Kind.DONE, "Delivered."),
        (Kind.UNDONE, f"Returned: 1 x {sku} for 12.50 GBP. A part of it is back."),
    ]
    assert told(drawn, "Process") == [
        (Kind.DONE, "The customer may order: done."),
        (Kind.DONE, "Hold the goods: done."),
        (Kind.DONE, "Ask for the money: done."),
        (Kind.DONE, "Confirm: done."),
        (Kind.DONE, "Give the money back: done."),
    ]
    assert told(drawn, "Payments") == [
        (Kind.DONE, "Charge: captured."),
        (Kind.DONE, "Capture: 25.00 GBP."),
        (Kind.UNDONE, "Refund: refunded."),
        (Kind.UNDONE, "Refund: 12.50 GBP."),
    ]
    assert told(drawn, "Inventory") == [(Kind.DONE, f"Held: {sku}: reserved +2.")]
    times = [row.moment.at for row in drawn.rows]
    assert times == sorted(times)
    assert "cannot be asked" not in page
    assert f"Held: {sku}: reserved +2." in re.sub(r"\s+", " ", page)


def test_of_an_order_that_was_refused_it_shows_where_and_what_was_undone(picture, trade: Trade) -> None:
    _, drawn = picture(trade.order(method="pm_card_declined"))

    assert told(drawn, "Order")[-1] == (Kind.FAILED, "Refused: payment declined.")
    assert told(drawn, "Process") == [
        (Kind.DONE, "The customer may order: done."),
        (Kind.DONE, "Hold the goods: done."),
        (Kind.FAILED, "Ask for the money: refused (payment declined)."),
        (Kind.UNDONE, "Undo: ask for the money: done."),
        (Kind.UNDONE, "Undo: hold the goods: done."),
    ]
    assert told(drawn, "Payments") == [(Kind.FAILED, "Charge: declined.")]
    assert [kind for kind, _ in told(drawn, "Inventory")] == [Kind.DONE, Kind.UNDONE]


def test_an_order_for_more_than_there_is_names_what_was_missing(picture, trade: Trade) -> None:
    _, drawn = picture(trade.order(units=11, sku=(sku := trade.product(stock=10))))

    assert told(drawn, "Order")[-1] == (Kind.FAILED, f"Refused: out of stock ({sku}).")


def test_a_cancelled_order_was_not_refused(picture, sign_in, trade: Trade) -> None:
    order = trade.order()
    sign_in("support").act(f"/admin/orders/order/{order.id}/cancel/", reason="By mistake.")

    assert told(picture(order)[1], "Order")[-1] == (Kind.UNDONE, "Cancelled.")


# --- When somebody cannot be asked ------------------------------------------------------------------------------------


def test_while_payments_cannot_be_asked_its_lane_says_so_and_the_rest_is_told(
    picture, trade: Trade, monkeypatch
) -> None:
    order = trade.order()
    monkeypatch.setattr("apps.payments.queries.history", away)

    page, drawn = picture(order)

    words = "Payments cannot be asked now: what happened to its money is not shown here."
    assert [lane.trouble for lane in drawn.lanes] == ["", "", words, ""]
    assert page.count(words) == 1
    assert told(drawn, "Payments") == []
    assert [len(told(drawn, lane)) for lane in ("Order", "Process", "Inventory")] == [2, 4, 1]


def test_a_domain_that_breaks_is_left_out_like_one_that_is_away(picture, trade: Trade, monkeypatch) -> None:
    order = trade.order()
    monkeypatch.setattr("apps.inventory.queries.history", lambda order_id: 1 // 0)

    assert [bool(lane.trouble) for lane in picture(order)[1].lanes] == [False, False, False, True]


def test_nobody_is_waited_for_longer_than_a_page_may_take(picture, trade: Trade, monkeypatch) -> None:
    order, left, real = trade.order(), [], queries.history
    monkeypatch.setattr(
        queries, "history", lambda order_id: (left.append(current_call().remaining()), real(order_id))[1]
    )

    _, drawn = picture(order)

    assert 0 < left[0] <= 2.0
    assert len(told(drawn, "Payments")) == 2


def test_domains_that_answer_nowhere_are_asked_and_said_to_be_away(picture, trade: Trade, settings) -> None:
    order = trade.order()
    settings.HOSTED_DOMAINS = ("users", "orders")
    settings.SERVICE_URLS = {"inventory": "http://127.0.0.1:9"}
    _client.cache_clear()
    try:
        _, drawn = picture(order)
    finally:
        _client.cache_clear()

    assert [bool(lane.trouble) for lane in drawn.lanes] == [False, False, True, True]
    assert [len(told(drawn, lane)) for lane in ("Order", "Process", "Payments", "Inventory")] == [2, 4, 0, 0]


# --- What is so now ---------------------------------------------------------------------------------------------------


def test_a_process_that_is_stuck_says_since_when_and_leads_to_where_it_is_decided(picture, trade: Trade) -> None:
    order = trade.order(method="pm_card_async")
    runs = SagaRun.objects.using("orders").filter(subject=order.id)
    runs.update(state=SagaRun.NEEDS_ATTENTION, error="<The provider> does not answer")

    page, drawn = picture(order)

    now = drawn.rows[-1]
    assert (now.moment.at, now.moment.kind, now.time) == (None, Kind.FAILED, "now")
    assert re.fullmatch(
        r"Needs attention since [\d-]+ [\d:]+, at: ask for the money\. <The provider> does not answer", now.moment.words
    )
    assert now.moment.address == f"/admin/orders/sagarun/{runs.get().id}/change/"
    assert f'href="{now.moment.address}">Decide</a>' in page
    assert "&lt;The provider&gt; does not answer" in page


def test_a_process_that_is_under_way_says_what_comes_next(picture, trade: Trade) -> None:
    _, drawn = picture(trade.order(method="pm_card_async"))

    assert drawn.rows[-1].moment.words.startswith("Under way: ask for the money is tried next, at ")
    assert (drawn.rows[-1].moment.kind, drawn.rows[-1].moment.address) == (Kind.OPEN, "")
    assert (Kind.OPEN, "Ask for the money: waiting.") in told(drawn, "Process")


def test_an_event_that_was_not_sent_yet_says_so_and_one_that_was_does_not(picture, trade: Trade) -> None:
    order = trade.shipped()
    rows = OutboxMessage.objects.using("orders").filter(subject=str(order.id))
    rows.filter(sequence=1).update(wanted=True, published_at=Now())
    rows.filter(sequence=2).update(wanted=True, published_at=None)
    rows.filter(sequence=3).update(wanted=False, published_at=None)

    _, drawn = picture(order)

    marks = [row.moment.mark for row in drawn.rows if row.moment.lane == "Order"]
    assert marks == ["", "not sent yet", ""], "nobody listens to the last one"


def test_a_moment_leads_to_its_trace_where_there_is_one_to_show(picture, trade: Trade, recorded) -> None:
    with entering("recorded", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01"):
        order = trade.order()
    sending.flush()
    with entering("not recorded", traceparent=f"00-{'a' * 32}-00f067aa0ba902b7-00"):
        from apps.orders.service import SERVICE

        SERVICE.ship(order_id=order.id, carrier="A carrier", tracking_number="1")

    page, drawn = picture(order)

    traces = {row.moment.words: row.trace for row in drawn.rows}
    assert traces["Confirmed."] == traces["Charge: captured."] == f"/admin/traces/{TRACE}/"
    assert traces["Shipped with A carrier, 1."] == ""
    assert f'<a class="console-link" href="/admin/traces/{TRACE}/" aria-label="Trace of: Confirmed.">trace</a>' in page
