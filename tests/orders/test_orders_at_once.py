"""The same order, or the same key, in several hands at once: exactly one decision stands, and the books stay whole."""

from __future__ import annotations

from functools import partial
from uuid import UUID, uuid4

import pytest

from apps.orders import repository
from apps.orders.aggregate import OrderAggregate, WrongStatus
from apps.orders.sagas import CancelOrder, ReturnOrder
from apps.payments import asking
from apps.payments.sandbox import Sandbox
from apps.payments.service import SERVICE
from runtime.eventstore.store import VersionConflict
from runtime.saga import sweeper
from runtime.saga.models import SagaRun
from tests.payments.provider import Provider
from tests.together import kinds, together


@pytest.fixture
def roomy(monkeypatch, settings):
    """Room for all to wait for the provider at once: what is looked at here is something else."""
    settings.PROVIDER_WAITERS = 50
    monkeypatch.setitem(SERVICE.__dict__, "_provider", asking.Provider(Sandbox()))


def is_whole(shop, order_id: UUID) -> bool:
    """Money and stock agree with the order's status."""
    net = sum(1 if kind == "capture" else -1 for kind, _ in shop.moved(order_id))
    if shop.order(order_id).status == "cancelled":
        return net == 0 and shop.reservation(order_id) in (None, "closed")
    return net == 1 and shop.reservation(order_id) == "held"


# --- One key --------------------------------------------------------------------------------------------------------


def test_ten_who_place_with_one_key_at_once_get_one_order_one_charge_and_one_of_them_is_first(committed, shop, roomy):
    shop.product()

    answers = together(*[partial(shop.place, ("A", 1), key="k")] * 10)

    assert len({answer.order.id for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 9
    assert shop.counts()[:3] == (1, 1, 1)
    assert (shop.stock(), shop.moved(answers[0].order.id)) == ((10, 1), [("capture", "10.00")])


def test_ten_keys_at_once_are_ten_orders(committed, shop, roomy):
    shop.product(stock=10)

    answers = together(*[partial(shop.place, ("A", 1))] * 10)

    ids = {answer.order.id for answer in answers}
    for order_id in ids:
        if shop.order(order_id).status == "pending":
            shop.go_on(order_id)
    assert {shop.order(order_id).status for order_id in ids} == {"confirmed"}
    assert (len(ids), shop.stock()) == (10, (10, 10))


# --- Races ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(5))
def test_of_ship_and_cancel_at_once_exactly_one_wins(committed, shop, turn):
    shop.product()
    order = shop.place().order

    answers = together(partial(shop.ship, order.id), partial(shop.cancel, order.id))

    assert kinds(answers) == ["Order", "WrongStatus"]
    status = shop.order(order.id).status
    assert status == ("shipped" if isinstance(answers[1], WrongStatus) else "cancelled")
    assert shop.stream(order.id)[2:] == ["OrderShipped" if status == "shipped" else "OrderCancelled"]
    assert is_whole(shop, order.id)


def test_of_five_who_ship_at_once_one_does(committed, shop):
    shop.product()
    order = shop.place().order

    assert kinds(together(*[partial(shop.ship, order.id)] * 5)) == ["Order"] + ["WrongStatus"] * 4
    assert shop.told(order.id)[2:] == [(3, "OrderShipped")]


def test_five_who_cancel_at_once_all_find_it_cancelled_and_the_money_goes_back_once(committed, shop):
    shop.product()
    order = shop.place().order

    answers = together(*[partial(shop.cancel, order.id)] * 5)

    assert [answer.status for answer in answers] == ["cancelled"] * 5
    if shop.saga(order.id, CancelOrder.name) == "running":
        shop.go_on(order.id, CancelOrder.name)
    assert shop.moved(order.id) == [("capture", "10.00"), ("refund", "10.00")]
    assert (shop.stock(), shop.notes(order.id)) == ((10, 0), [("cancel", "changed my mind")])
    assert SagaRun.objects.using("orders").filter(definition=CancelOrder.name).count() == 1


@pytest.mark.parametrize("turn", range(6))
def test_a_cancel_that_races_the_placing_ends_cancelled_with_nothing_kept(committed, shop, turn):
    shop.product()
    order = shop.place(later=True).order

    answers = together(partial(shop.go_on, order.id), partial(shop.cancel, order.id))

    assert answers[1].status == "cancelled", answers
    for definition in SagaRun.objects.using("orders").filter(state__in=SagaRun.UNFINISHED).values_list("definition"):
        shop.go_on(order.id, *definition)
    assert shop.order(order.id).status == "cancelled"
    assert is_whole(shop, order.id)
    assert shop.stock() == (10, 0)
    assert shop.stream(order.id) in (
        ["OrderCreated", "OrderCancelled"],
        ["OrderCreated", "OrderConfirmed", "OrderCancelled"],
    )


@pytest.fixture
def provider(monkeypatch, settings) -> Provider:
    """Payments ask a provider of the tests' own."""
    provider = Provider()
    monkeypatch.setitem(SERVICE.__dict__, "_provider", asking.Provider(provider))
    return provider


def test_an_order_cancelled_while_the_provider_takes_the_money_gets_it_back(committed, shop, provider):
    shop.product()
    order = shop.place(later=True).order

    def cancel_meanwhile(answer):
        together(partial(shop.cancel, order.id))
        return answer

    provider.misbehave["charge"] = [cancel_meanwhile]
    assert shop.go_on(order.id).state == "compensated"

    assert shop.moved(order.id) == [("capture", "10.00"), ("refund", "10.00")]
    assert (provider.net(), shop.stock()) == (0, (10, 0))
    assert shop.stream(order.id) == ["OrderCreated", "OrderCancelled"]


def test_an_order_cancelled_while_its_payment_is_unknown_gets_back_what_was_taken_in_silence(committed, shop, provider):
    shop.product()
    provider.misbehave["charge"] = ["after"]
    order = shop.place().order
    assert (order.status, shop.payment(order.id)) == ("pending", "unknown")

    shop.cancel(order.id)
    assert shop.go_on(order.id).state == "compensated"

    assert shop.moved(order.id) == [("capture", "10.00"), ("refund", "10.00")]
    assert provider.net() == 0


def test_a_worker_and_the_request_that_placed_it_never_run_the_same_order_at_once(committed, shop, provider):
    shop.product()
    order = shop.place(later=True).order

    def another_worker_comes(answer):
        run = SagaRun.objects.using("orders").get()
        together(partial(sweeper.resume, run.id, domain="orders"))
        return answer

    provider.misbehave["charge"] = [another_worker_comes]
    assert shop.go_on(order.id).state == "completed"

    assert provider.times("charge") == 1
    assert shop.moved(order.id) == [("capture", "10.00")]


def test_one_return_taken_in_five_times_at_once_is_refunded_once(committed, shop, roomy):
    shop.product()
    order, return_id = shop.delivered(("A", 3)), uuid4()
    take = partial(shop.service.take_back, order_id=order.id, return_id=return_id, units={"A": 1}, reason="")

    answers = together(*[take] * 5)

    assert [len(answer.returns) for answer in answers] == [1] * 5
    if shop.saga(return_id, ReturnOrder.name) == "running":
        shop.go_on(return_id, ReturnOrder.name)
    assert shop.moved(order.id) == [("capture", "30.00"), ("refund", "10.00")]


def test_of_one_who_ships_and_one_who_cancels_at_once_one_has_his_way_and_the_money_goes_with_it(
    committed, shop, roomy, settings
):
    settings.PAYMENT_CAPTURE = "shipment"
    shop.product()
    for _ in range(5):
        order = shop.place().order

        answers = together(partial(shop.ship, order.id), partial(shop.cancel, order.id))

        assert kinds(answers) == ["Order", "WrongStatus"]
        ended = shop.order(order.id).status
        if ended == "shipped":
            assert shop.moved(order.id) == [("capture", "10.00")]
        else:
            assert (ended, shop.moved(order.id), shop.reservation(order.id)) == ("cancelled", [], "closed")


# --- Deciding anew --------------------------------------------------------------------------------------------------


def test_a_decision_is_made_anew_on_what_somebody_else_did_meanwhile(shop, committed):
    shop.product()
    order = shop.place(later=True).order
    seen: list[str | None] = []

    def cancel_slowly(aggregate: OrderAggregate) -> None:
        seen.append(aggregate.status)
        if len(seen) == 1:
            together(lambda: repository.change(order.id, OrderAggregate.confirm))
        aggregate.cancel(reason="cancelled")

    repository.change(order.id, cancel_slowly)

    assert seen == ["pending", "confirmed"]
    assert shop.stream(order.id) == ["OrderCreated", "OrderConfirmed", "OrderCancelled"]
    assert shop.told(order.id) == [(1, "OrderCreated"), (2, "OrderConfirmed"), (3, "OrderCancelled")]


def test_who_comes_too_late_five_times_gives_up_and_has_changed_nothing(shop, committed):
    shop.product()
    order = shop.delivered(("A", 9))
    tries: list[int] = []

    def deliver_in_vain(aggregate: OrderAggregate) -> None:
        tries.append(aggregate.version)
        together(lambda: repository.change(order.id, lambda o: o.take_back(return_id=uuid4(), units={"A": 1})))
        aggregate.take_back(return_id=uuid4(), units={"A": 2})

    with pytest.raises(VersionConflict):
        repository.change(order.id, deliver_in_vain)

    assert tries == [4, 5, 6, 7, 8]
    assert [entry["items"][0]["quantity"] for entry in shop.order(order.id).returns] == [1] * 5


def test_what_belongs_to_a_change_is_undone_with_it(shop, committed):
    shop.product()
    order = shop.place(later=True).order

    def fail(aggregate: OrderAggregate) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        repository.change(order.id, OrderAggregate.confirm, also=fail)

    assert (shop.stream(order.id), shop.order(order.id).status) == (["OrderCreated"], "pending")
    assert shop.told(order.id) == [(1, "OrderCreated")]
