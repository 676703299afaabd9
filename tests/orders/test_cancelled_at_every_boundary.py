"""A cancel between any two steps of placing an order, and in the middle of one: it always ends with nothing taken."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from apps.orders.sagas import CancelOrder, PlaceOrder
from runtime.databases.transactions import open_transactions
from runtime.identity.tokens import issue
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


def post(shop) -> tuple:
    """The status, what else tells how it went, and whether this was the first answer again."""
    answer = APIClient(raise_request_exception=False).post(
        "/api/orders",
        {"items": [{"sku": "A", "quantity": 1}], "paymentMethod": "pm_card_visa"},
        format="json",
        headers={"authorization": f"Bearer {issue(user_id=shop.user_id, roles=())}", "idempotency-key": "k"},
    )
    body = answer.json()
    told = body.get("code", body["status"]), UUID(body.get("orderId", body.get("id")))
    return answer.status_code, *told, "idempotency-replayed" in answer


def test_whoever_cancels_while_it_is_placed_is_answered_no_order_and_the_same_again(committed, shop, at_boundary):
    shop.product()

    def cancel() -> None:
        together(partial(shop.cancel, SagaRun.objects.using("orders").get().subject))

    at_boundary.update(where=("saga.before_step", 3), what=cancel)
    first, again = post(shop), post(shop)

    order_id = SagaRun.objects.using("orders").get().subject
    assert (first, again) == ((409, "cancelled", order_id, False), (409, "cancelled", order_id, True))
    assert shop.moved(order_id) == []


def test_an_order_that_was_confirmed_and_then_cancelled_is_answered_as_it_is(committed, shop):
    shop.product()

    first = post(shop)
    shop.cancel(first[2])

    assert first[:2] == (201, "confirmed")
    assert post(shop) == (201, "cancelled", first[2], True)
