"""An order's story as the console draws it: which lane a moment stands in, how it ended, and the words for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from apps.orders import repository
from apps.orders.models import Order
from apps.orders.timeline import told_elsewhere, tries
from contracts._base import Event
from contracts.inventory import StockMoment
from contracts.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderPacked,
    OrderReturned,
    OrderShipped,
    OrderUnpaid,
)
from contracts.payments import PaymentMoment
from runtime.console.panels import moment as shown
from runtime.console.records import address_of_list
from runtime.console.timelines import Kind, Lane, Moment, Timeline, timeline
from runtime.messaging.outbox import traces_of, unsent_of
from runtime.saga.attention import step_of, unended
from runtime.saga.models import SagaRun

ALIAS = "orders"

ORDER, PROCESS, PAYMENTS, INVENTORY = "Order", "Process", "Payments", "Inventory"


def story(order: Order) -> Timeline:
    """All that is known now. A domain that cannot be asked says so in its lane; the rest is told."""
    elsewhere = told_elsewhere(order.id)
    money, goods = elsewhere["payments"], elsewhere["inventory"]
    lanes = (
        Lane(title=ORDER),
        Lane(title=PROCESS),
        Lane(title=PAYMENTS, trouble=_away("Payments", "its money", money)),
        Lane(title=INVENTORY, trouble=_away("Inventory", "its goods", goods)),
    )
    told = [*_events(order), *_tries(order), *_paid(money or ()), *_moved(goods or ()), *_unended(order)]
    return timeline("Timeline", lanes, told)


def _away(title: str, what: str, told: object | None) -> str:
    return "" if told is not None else f"{title} cannot be asked now: what happened to {what} is not shown here."


# --- The order's own events -----------------------------------------------------------------------------------------


def _events(order: Order) -> Iterator[Moment]:
    traces, unsent = traces_of(str(order.id), using=ALIAS), unsent_of(str(order.id), using=ALIAS)
    for entry in repository.history(order.id):
        kind, words = _WORDS[type(entry.event)](entry.event)
        yield Moment(
            at=entry.recorded_at,
            lane=ORDER,
            kind=kind,
            words=words,
            aside=entry.event.name,
            mark="not sent yet" if entry.version in unsent else "",
            trace_id=traces.get(entry.version),
        )


def _created(event: OrderCreated) -> tuple[Kind, str]:
    return Kind.DONE, f"Placed: {_units(event.items)} for {event.total_amount}."


def _cancelled(event: OrderCancelled) -> tuple[Kind, str]:
    if event.reason == "cancelled":
        return Kind.UNDONE, "Cancelled."
    missing = f" ({', '.join(event.skus)})" if event.skus else ""
    return Kind.FAILED, f"Refused: {_plain(event.reason)}{missing}."


def _returned(event: OrderReturned) -> tuple[Kind, str]:
    left = "All of it is back" if event.whole else "A part of it is back"
    return Kind.UNDONE, f"Returned: {_units(event.items)} for {event.refund}. {left}."


_WORDS: Mapping[type[Event], Callable[[Any], tuple[Kind, str]]] = {
    OrderCreated: _created,
    OrderConfirmed: lambda event: (
        Kind.DONE,
        "Confirmed." if event.paid else "Confirmed. Its money is held, not taken.",
    ),
    OrderCancelled: _cancelled,
    OrderPacked: lambda event: (Kind.DONE, f"Packed for {event.carrier}. Its money is taken first."),
    OrderUnpaid: lambda event: (Kind.FAILED, f"Not shipped: {_plain(event.reason)}."),
    OrderShipped: lambda event: (Kind.DONE, f"Shipped with {event.carrier}, {event.tracking_number}."),
    OrderDelivered: lambda event: (Kind.DONE, "Delivered."),
    OrderReturned: _returned,
}


def _units(lines: Iterable[Any]) -> str:
    return ", ".join(f"{line.quantity} x {line.sku}" for line in lines)


# --- What its processes tried, and where they stand -----------------------------------------------------------------

_STEPS = {
    "validate_user": "the customer may order",
    "reserve_inventory": "hold the goods",
    "process_payment": "ask for the money",
    "confirm_order": "confirm",
    "release_inventory": "give the goods back",
    "refund_payment": "give the money back",
    "capture_payment": "take the money that is held",
    "ship_packed": "ship",
}
_RESULTS = {
    "succeeded": (Kind.DONE, "done"),
    "rejected": (Kind.FAILED, "refused"),
    "failed": (Kind.FAILED, "failed"),
    "waiting": (Kind.OPEN, "waiting"),
    "unknown": (Kind.OPEN, "outcome not known"),
    "unavailable": (Kind.OPEN, "no answer"),
}


def _tries(order: Order) -> Iterator[Moment]:
    for process, entry in tries(order):
        kind, result = _RESULTS.get(entry["result"], (Kind.OPEN, entry["result"]))
        undone = entry["action"] == "undo"
        step = _STEPS.get(entry["step"], _plain(entry["step"]))
        detail = f" ({_plain(entry['detail'])})" if entry["detail"] else ""
        times = f", {entry['tries']} tries" if entry["tries"] > 1 else ""
        words = f"{'Undo: ' if undone else ''}{step}: {result}{detail}{times}."
        yield Moment(
            at=datetime.fromisoformat(entry["at"]),
            lane=PROCESS,
            kind=Kind.UNDONE if undone and kind == Kind.DONE else kind,
            words=words[:1].upper() + words[1:],
            aside=f"{process}.{entry['step']}",
            trace_id=entry.get("trace"),
        )


def _unended(order: Order) -> Iterator[Moment]:
    """What is so now: whoever looks sees where it hangs, since when, and where to press."""
    for run in unended(repository.load(order.id).subjects, using=ALIAS):
        step = step_of(run)
        does = _STEPS.get(step, _plain(step))
        stuck = run.state == SagaRun.NEEDS_ATTENTION
        if stuck:
            words = f"Needs attention since {shown(run.updated_at)}, at: {does}. {run.error or ''}".strip()
        else:
            way = "undone" if run.state == SagaRun.COMPENSATING else "tried"
            words = f"Under way: {does} is {way} next, at {shown(run.due_at)} or before."
        yield Moment(
            at=None,
            lane=PROCESS,
            kind=Kind.FAILED if stuck else Kind.OPEN,
            words=words,
            aside=f"{run.definition.removeprefix('orders.')}.{step}",
            address=f"{address_of_list(ALIAS, 'sagarun')}{run.id}/change/" if stuck else "",
        )


# --- What others say ------------------------------------------------------------------------------------------------

_FAILED = {"declined", "failed", "wrong_amount"}
_OPEN = {"no answer is known of", "silent", "pending", "unknown", "prepared"}
_GIVEN_BACK = {"payment.refund", "payment.void"}
_MOVES = {
    "stock.reserve": (Kind.DONE, "Held"),
    "stock.release": (Kind.UNDONE, "No longer held"),
    "stock.ship": (Kind.DONE, "Left the shelf"),
    "stock.return": (Kind.UNDONE, "Back on the shelf"),
}


def _paid(moments: Iterable[PaymentMoment | StockMoment]) -> Iterator[Moment]:
    for told in moments:
        kind = Kind.UNDONE if told.kind in _GIVEN_BACK or told.detail == "cancelled" else Kind.DONE
        if told.detail in _FAILED:
            kind = Kind.FAILED
        elif told.detail in _OPEN:
            kind = Kind.OPEN
        yield _elsewhere(told, PAYMENTS, kind, f"{_name(told.kind).capitalize()}: {_plain(told.detail)}.")


def _moved(moments: Iterable[PaymentMoment | StockMoment]) -> Iterator[Moment]:
    for told in moments:
        kind, title = _MOVES.get(told.kind, (Kind.DONE, _name(told.kind).capitalize()))
        yield _elsewhere(told, INVENTORY, kind, f"{title}: {_without_nothing(told.detail)}.")


def _without_nothing(detail: str) -> str:
    """``A: on hand +0, reserved +2`` without what did not change."""
    sku, colon, changes = detail.partition(": ")
    return sku + colon + ", ".join(change for change in changes.split(", ") if not change.endswith(" +0"))


def _elsewhere(told: PaymentMoment | StockMoment, lane: str, kind: Kind, words: str) -> Moment:
    return Moment(at=told.at, lane=lane, kind=kind, words=words, aside=told.kind, trace_id=told.trace_id)


def _name(kind: str) -> str:
    return _plain(kind.rpartition(".")[2])


def _plain(code: str) -> str:
    return code.replace("_", " ")
