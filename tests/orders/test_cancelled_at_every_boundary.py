"""A cancel between any two steps of placing an order, and in the middle of one: it always ends with nothing taken."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from apps.orders.sagas import CancelOrder, PlaceOrder
from runtime.databases.transactions import open_transactions
from runtime.saga.models import SagaRun
from runtime.telemetry import crashpoints
from tests.together import together

STEPS = [step.name for step in PlaceOrder.steps]
MIDDLE = ["pay.before_call", "pay.after_call_before_record"]
BOUNDARIES = [
    *(("saga.before_step", n) for n in range(1, len(STEPS) + 1)),
    *(("saga.after_step_before_record", n) for n in range(1, len(STEPS))),
    *((name, 1) for name in MIDDLE),
    ("api.after_commit_before_reply", 1),
]


@pytest.fixture
def at_boundary(monkeypatch) -> Iterator[dict]:
    """What is to happen, and where: once, as soon as the process passes there for the n-th time."""
    monkeypatch.setenv("MITOSIS_ENV", "test")
    planned: dict = {}
    passed: list[str] = []

    def listener(name: str) -> None:
        passed.append(name)
        if planned and (name, passed.count(name)) == planned["where"]:
            assert not open_transactions()
            planned["what"]()

    before = crashpoints.listen(listener)
    yield planned
    crashpoints.listen(before)


@pytest.mark.parametrize("capture", ["order", "shipment"])
@pytest.mark.parametrize("where", BOUNDARIES, ids=lambda where: f"{where[0]}-{where[1]}")
def test_a_cancel_there_ends_with_the_order_cancelled_and_nothing_taken(
    committed, shop, settings, at_boundary, where, capture
):
    settings.PAYMENT_CAPTURE = capture
    shop.product()
    answers: list = []

    def cancel() -> None:
        order_id = SagaRun.objects.using("orders").get(definition=PlaceOrder.name).subject
        answers.extend(together(partial(shop.cancel, order_id)))

    at_boundary.update(where=where, what=cancel)
    order = shop.place(("A", 2)).order
    if shop.saga(order.id) == "running":
        shop.go_on(order.id)

    assert [answer.status for answer in answers] == ["cancelled"]
    assert (shop.order(order.id).status, shop.order(order.id).reason) == ("cancelled", "cancelled")
    moved = [kind for kind, _ in shop.moved(order.id)]
    assert moved in ([], ["capture", "refund"])
    assert (shop.stock(), shop.reservation(order.id)) in (((10, 0), "closed"), ((10, 0), None))
    # It was pending: whoever placed it undid it, and no process of its own was needed for that.
    assert shop.saga(order.id) == "compensated"
    assert not SagaRun.objects.using("orders").filter(definition=CancelOrder.name).exists()
    assert shop.stream(order.id) == ["OrderCreated", "OrderCancelled"]
