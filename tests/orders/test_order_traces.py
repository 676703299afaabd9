"""A process leaves a span for each turn and each step, also for those that go back."""

from __future__ import annotations

import pytest

from runtime.telemetry.spans import entering
from tests.trade import Trade

pytestmark = pytest.mark.django_db


def steps(spans) -> list[tuple[str, str]]:
    return [(span.name, span.attributes["saga.result"]) for span in spans if "saga.step" in span.attributes]


def test_an_order_that_is_refused_shows_each_step_forward_and_each_step_back(trade: Trade, recorded) -> None:
    with entering("outer", traceparent=None):
        order = trade.order(method="pm_card_declined")

    spans = recorded()
    (turn,) = [span for span in spans if span.name == "saga orders.place_order"]
    assert turn.attributes == {
        "saga.name": "orders.place_order",
        "saga.version": 1,
        "saga.subject": str(order.id),
        "saga.state": "compensated",
    }
    assert steps(spans) == [
        ("validate_user do", "succeeded"),
        ("reserve_inventory do", "succeeded"),
        ("process_payment do", "rejected"),
        ("process_payment undo", "succeeded"),
        ("reserve_inventory undo", "succeeded"),
        ("validate_user undo", "nothing to do"),
    ]
    # A declined card is an answer, and no error of anybody's.
    assert [span.name for span in spans if span.failed] == []


def test_a_call_within_one_process_is_a_span_of_its_own_with_the_refusals_code(trade: Trade, recorded) -> None:
    with entering("outer", traceparent=None):
        trade.order(units=1000)

    (reserve,) = [span for span in recorded() if span.name == "inventory/reserve"]
    assert (reserve.kind, reserve.failed) == ("internal", False)
    assert reserve.attributes == {
        "rpc.system.name": "mitosis",
        "rpc.method": "inventory/reserve",
        "error.type": "out_of_stock",
    }
