"""The processes that orders owns. Each reads top to bottom: its steps, and how each is undone."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from apps.orders import repository
from apps.orders.aggregate import OrderAggregate
from contracts import payments
from contracts._base import Money, Rejected
from contracts.inventory import INVENTORY, Line
from contracts.orders import CANCELLED
from contracts.payments import PAYMENTS
from contracts.users import USERS
from runtime.calls import resolve
from runtime.saga.definition import Saga, Step, Unknown, Waiting
from runtime.saga.run import Run

ON_SHIPMENT = "shipment"
"""The value of PAYMENT_CAPTURE under which an order's money is held first, and taken when it is shipped."""


class OrderCancelledMeanwhile(Rejected):
    """The order was cancelled while it was being placed."""

    code = "cancelled"


# --- Placing an order -----------------------------------------------------------------------------------------------


def validate_user(run: Run) -> None:
    resolve(USERS).validate(user_id=UUID(run.data["userId"]))


def reserve_inventory(run: Run) -> None:
    order = repository.load(run.subject)
    lines = [Line(sku=line.sku, quantity=line.quantity) for line in order.items]
    resolve(INVENTORY).reserve(key=run.key("reserve"), order_id=order.id, lines=lines)


def release_inventory(run: Run) -> None:
    resolve(INVENTORY).release(key=run.key("release"), order_id=run.subject)


def process_payment(run: Run) -> Unknown | Waiting | None:
    order = _still_wanted(run)
    assert order.total is not None
    assert order.user_id is not None
    payment = resolve(PAYMENTS).charge(
        key=payment_key(order.id),
        order_id=order.id,
        user_id=order.user_id,
        amount=order.total,
        method=run.data["paymentMethod"],
        capture=not _pays_on_shipment(run),
    )
    return _outcome(payment, wanted=_wanted(run))


def inquire_payment(run: Run) -> Unknown | Waiting | None:
    _still_wanted(run)
    return _outcome(resolve(PAYMENTS).inquire(key=payment_key(run.subject)), wanted=_wanted(run))


def undo_payment(run: Run) -> Unknown | None:
    payment = resolve(PAYMENTS).void(key=payment_key(run.subject), order_id=run.subject)
    if payment.status in {payments.VOIDED, payments.REFUNDED, payments.FAILED}:
        return None
    return Unknown(detail=payment.status)


def confirm_order(run: Run) -> None:
    repository.change(run.subject, partial(OrderAggregate.confirm, paid=not _pays_on_shipment(run)))


def cancel_order(run: Run) -> None:
    """All is undone: the order ends cancelled, with the reason it was refused for."""
    refusal = run.refusal or {}
    skus = tuple(refusal.get("data", {}).get("skus", ()))
    repository.change(run.subject, partial(OrderAggregate.cancel, reason=refusal.get("code", "failed"), skus=skus))


class PlaceOrder(Saga):
    """From a created order to a confirmed one, or back to nothing. The point of no return is the capture."""

    name = "orders.place_order"
    domain = "orders"
    deadline = 15 * 60.0
    steps = (
        Step(name="validate_user", do=validate_user),
        Step(name="reserve_inventory", do=reserve_inventory, undo=release_inventory),
        Step(name="process_payment", do=process_payment, inquire=inquire_payment, undo=undo_payment, pivot=True),
        Step(name="confirm_order", do=confirm_order, local=True),
    )
    undone = cancel_order


# --- Shipping one whose money is only held --------------------------------------------------------------------------


def capture_payment(run: Run) -> Unknown | None:
    payment = resolve(PAYMENTS).capture(key=payment_key(UUID(run.data["orderId"])))
    return None if payment.status == payments.CAPTURED else Unknown(detail=payment.status)


def ship_packed(run: Run) -> None:
    done = partial(OrderAggregate.ship_packed, shipment_id=run.subject)
    repository.change(UUID(run.data["orderId"]), done)


def leave_unpaid(run: Run) -> None:
    """The order stays confirmed and unpaid: it can be cancelled, or shipped once it can be paid for."""
    reason = (run.refusal or {}).get("code", "failed")
    refused = partial(OrderAggregate.leave_unpaid, shipment_id=run.subject, reason=reason)
    repository.change(UUID(run.data["orderId"]), refused)


class ShipOrder(Saga):
    """What is paid for on shipment leaves the house once its money is taken. Its subject is the shipment."""

    name = "orders.ship_order"
    domain = "orders"
    steps = (
        Step(name="capture_payment", do=capture_payment, pivot=True),
        Step(name="ship_packed", do=ship_packed, local=True),
    )
    undone = leave_unpaid


# --- Cancelling a confirmed one -------------------------------------------------------------------------------------


class CancelOrder(Saga):
    """The order is cancelled already; what it held and what it took is given back, however long that takes."""

    name = "orders.cancel_order"
    domain = "orders"
    steps = (
        Step(name="release_inventory", do=release_inventory),
        Step(name="refund_payment", do=undo_payment),
    )


# --- Taking goods back -----------------------------------------------------------------------------------------------


def refund_return(run: Run) -> Unknown | None:
    """What the goods had cost is given back, once for this return. (The stock follows from the event.)"""
    order_id = UUID(run.data["orderId"])
    refund = resolve(PAYMENTS).refund(
        key=run.key("refund"),
        charge_key=payment_key(order_id),
        amount=Money.parse(run.data["amount"], run.data["currency"]),
        reason="returned",
    )
    return None if refund.done else Unknown(detail="the provider has not confirmed the refund")


class ReturnOrder(Saga):
    """Goods came back and are written down already; the money follows. Its subject is the return."""

    name = "orders.return_order"
    domain = "orders"
    # An operator may have given the money back by hand already.
    can_be_given_up = True
    steps = (Step(name="refund_payment", do=refund_return),)


# --- Small words ----------------------------------------------------------------------------------------------------


def payment_key(order_id: UUID) -> str:
    """The one key under which this order is ever paid for."""
    return f"{order_id}:charge"


def _still_wanted(run: Run) -> OrderAggregate:
    order = repository.load(run.subject)
    if order.status == CANCELLED:
        raise OrderCancelledMeanwhile
    return order


def _pays_on_shipment(run: Run) -> bool:
    """As it was set when the order was placed: a setting that changes later changes no order that is there."""
    return run.data.get("capture") == ON_SHIPMENT


def _wanted(run: Run) -> str:
    return payments.AUTHORIZED if _pays_on_shipment(run) else payments.CAPTURED


def _outcome(payment: payments.Payment, *, wanted: str) -> Unknown | Waiting | None:
    if payment.status == wanted:
        return None
    if payment.status == payments.PENDING:
        return Waiting(look_again=5.0)
    return Unknown(detail=payment.status)
