"""
What has to be true in the end: nothing is left to do, the guarantees hold, the provider's journal agrees, and each
answer that somebody was given still stands.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

from apps.orders.models import Order, OrderKey
from apps.orders.sagas import PlaceOrder
from config.verification import check_all, read_books
from contracts.orders import CANCELLED, CONFIRMED, DELIVERED, PENDING, RETURNED, SHIPPED
from runtime.saga.models import SagaRun
from tests.simulation.provider import METHODS

_LEFT = """
SELECT format('process %s of %s %s %s', definition, subject, state, error) FROM orders.saga_sagarun
    WHERE state NOT IN ('completed', 'compensated')
UNION ALL SELECT format('event %s of %s not told', event_type, subject) FROM {schema}.messaging_outboxmessage
    WHERE wanted AND (published_at IS NULL OR settled_at IS NULL)
UNION ALL SELECT format('event %s of %s not handled by {schema}', event_type, subject)
    FROM {schema}.messaging_inboxmessage WHERE handled_at IS NULL
"""

_MONEY_LEFT = """
SELECT format('refund %s', key) FROM payments.payments_refund WHERE done_at IS NULL
UNION ALL SELECT format('payment %s %s, wanted %s', key, status, intent) FROM payments.payments_payment
    WHERE status IN ('processing', 'unknown', 'pending') OR (status = 'authorized' AND intent <> 'hold')
"""

_ALL_LEFT = " UNION ".join(
    [_MONEY_LEFT, *(_LEFT.format(schema=schema) for schema in ("orders", "payments", "inventory"))]
)

REACHED = {
    CONFIRMED: {CONFIRMED, SHIPPED, DELIVERED, RETURNED},
    SHIPPED: {SHIPPED, DELIVERED, RETURNED},
    DELIVERED: {DELIVERED, RETURNED},
    RETURNED: {RETURNED},
    CANCELLED: {CANCELLED},
    PENDING: {CONFIRMED, SHIPPED, DELIVERED, RETURNED, CANCELLED},
}
"""Where an order may have come that somebody was told is so."""


def unfinished(world: Any) -> list[str]:
    """What is left to do, in words."""
    with world.admin.cursor() as cursor:
        cursor.execute(_ALL_LEFT)
        left = sorted(world.trace.plain(row[0]) for row in cursor.fetchall())
    if world.broker.messages:
        left.append(f"{len(world.broker.messages)} messages")
    if not world.provider.is_quiet():
        left.append("the provider")
    return left


def broken(world: Any) -> list[str]:
    """Each way in which the run ended wrong, a sentence each."""
    orders = {order.id: order for order in Order.objects.using("orders").order_by("created_at")}
    world.clock.advance(120)
    books = read_books(now=world.clock.date())
    # Whose shipment was refused since nothing was held any more: it waits for somebody who cancels it.
    lapsed = {charge.order_id for charge in world.provider.charges.values() if charge.lapsed}
    books.orders = {id: row for id, row in books.orders.items() if row.status != CONFIRMED or id not in lapsed}
    found = [f"{finding.name}: {text}" for finding in check_all(books) for text in finding.broken]
    found += _provider(world, orders)
    found += [text for answer in world.answers for text in _answer(world, answer, orders)]
    found += _keys(world, orders) + _deadlines(orders)
    return [world.trace.plain(text) for text in found]


def _provider(world: Any, orders: dict[Any, Order]) -> list[str]:
    """The money, as the provider has it: V1, V2 and V3 from outside."""
    found, charges = [], world.provider.charges
    for key, charge in charges.items():
        order = orders.get(charge.order_id)
        captured = charge.amount.amount if charge.state == "captured" else Decimal("0.00")
        net = captured - charge.refunded
        if charge.refunded > captured:
            found.append(f"V3: the provider gave back {charge.refunded} of {captured} for {key}")
        if (order is None or order.status == CANCELLED) and (net or charge.state == "authorized"):
            found.append(f"V2: {key} is {charge.state} at the provider, {net} net, for no living order")
    for order in orders.values():
        if order.status not in REACHED[CONFIRMED]:
            continue
        paid = [
            charge
            for charge in charges.values()
            if charge.order_id == order.id and charge.state in ("captured", "authorized")
        ]
        if order.status == CONFIRMED and any(
            charge.lapsed for charge in charges.values() if charge.order_id == order.id
        ):
            # Its shipment was refused: it stays as it is until somebody cancels it.
            continue
        held_only = [charge.state for charge in paid] == ["authorized"] and order.status == CONFIRMED and paid[0].hold
        if [charge.amount.amount for charge in paid] != [order.total] or not (held_only or paid[0].state == "captured"):
            found.append(f"V1: order {order.id} is {order.status} of {order.total}, the provider has {paid}")
    return found


def _answer(world: Any, answer: Any, orders: dict[Any, Order]) -> list[str]:
    """V10: what somebody was told is still so."""
    order = orders.get(answer.order_id)
    if order is None:
        return [f"V10: {answer} is of an order that is lost"]
    wanted = {what for one in world.customers if one._order_id() == order.id for what in one.wanted}
    if answer.asked == "refund":
        return _promised(world, answer)
    may = REACHED.get(answer.said)
    if may is None:
        return []
    if answer.asked == "place" and "cancel" in wanted:
        may = may | {CANCELLED}
    if answer.asked == "ship":
        # It may be confirmed still while its money is taken, and stay so where that fails.
        may = may | {CANCELLED} if answer.said == CONFIRMED else may
    if order.status not in may or (answer.said == CANCELLED and answer.reason != order.reason):
        return [f"V10: {answer} was the answer, the order is {order.status} ({order.reason})"]
    if answer.asked == "return" and answer.detail not in [made.return_id for made in order.returned]:
        return [f"V10: {answer} was the answer, the order knows of no such return"]
    return []


def _promised(world: Any, answer: Any) -> list[str]:
    key, amount = answer.detail
    made = [
        given
        for charge in world.provider.charges.values()
        for (own, _), (given, _) in charge.refunds.items()
        if own == key
    ]
    wanted = [amount] if answer.said == "promised" else []
    return [] if made == wanted else [f"V10: a refund of {amount} was {answer.said}, the provider made {made}"]


def _keys(world: Any, orders: dict[Any, Order]) -> list[str]:
    """V12, and V10: nothing that nobody asked for."""
    found = []
    taken = {row.key: row.order_id for row in OrderKey.objects.using("orders").all()}
    if len(set(taken.values())) != len(taken) or set(taken.values()) != set(orders):
        found.append(f"V12: keys {sorted(taken)} lead to {len(set(taken.values()))} of {len(orders)} orders")
    for one in world.customers:
        order = orders.get(taken.get(one.key))
        told = {answer.order_id for answer in world.answers if answer.asked == "place"} & {taken.get(one.key)}
        if order is None:
            continue
        world.trace.call(order.id, "order")
        if order.status == CANCELLED:
            found += _cancelled_rightly(one, order)
        if order.status in (SHIPPED, DELIVERED, RETURNED) and "ship" not in one.wanted:
            found.append(f"V10: order {order.id} is {order.status}, and nobody asked to ship it ({told})")
        if order.returns and "return" not in one.wanted:
            found.append(f"V10: of order {order.id} something was returned that nobody sent back")
    return found


def _cancelled_rightly(one: Any, order: Order) -> list[str]:
    """An order ends cancelled for a reason that there was."""
    method = one.wish.payment_method
    reasons = {
        "cancelled": "cancel" in one.wanted,
        "payment_declined": method == "pm_declined",
        "insufficient_funds": method == "pm_poor",
        "payment_failed": method == "pm_settles_not",
        "user_inactive": one.world.account_closed,
        "out_of_stock": any(line.sku == "hot" for line in one.wish.lines),
        "expired": order.updated_at - order.created_at >= timedelta(seconds=PlaceOrder.deadline or 0),
        # Declined, and taken all the same: that was given back, and nothing more is taken.
        "payment_closed": method in ("pm_declined", "pm_poor"),
    }
    assert method in METHODS
    return [] if reasons.get(order.reason or "") else [f"order {order.id} ({method}) was cancelled: {order.reason}"]


def _deadlines(orders: dict[Any, Order]) -> list[str]:
    """What is unknown is inquired about, however late it is."""
    found = []
    for run in SagaRun.objects.using("orders").filter(refusal__code="expired"):
        tries = [entry["result"] for entry in run.log if entry["action"] == "do" and entry["step"] == "process_payment"]
        if tries and tries[-1] == "unknown":
            found.append(f"the payment of order {run.subject} was unknown, and its process was ended by its deadline")
    return found


def ends() -> Counter[str]:
    """How the orders of this run ended, and how many of each."""
    rows = Order.objects.using("orders").values_list("status", "reason")
    return Counter(f"{status} ({reason})" if reason else status for status, reason in rows)
