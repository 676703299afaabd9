"""
The guarantees, evaluated on the data of a running system.

Everything is asked of the owning domains through their contracts, a page at a time, and compared here, from outside.
What was touched within the last minute may still be on its way and is counted as such, not as broken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from contracts import orders as order_words
from contracts.inventory import INVENTORY, StockAudit
from contracts.orders import ORDERS, OrderAudit
from contracts.payments import AUTHORIZED, PAYMENTS, MovementAudit, PaymentAudit, ProviderEntry
from runtime.calls import resolve

PAGE = 500
STILL_MOVING = timedelta(seconds=60)

PAID = (order_words.CONFIRMED, order_words.SHIPPED, order_words.DELIVERED)


@dataclass(slots=True, kw_only=True)
class Finding:
    """One invariant: what it says, what was looked at, and each case that breaks it."""

    name: str
    says: str
    figure: str = ""
    broken: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.broken


@dataclass(slots=True, kw_only=True)
class Books:
    """What the domains say of themselves."""

    orders: dict[UUID, OrderAudit]
    payments: dict[UUID, list[PaymentAudit]]
    stock: list[StockAudit]
    entries: list[ProviderEntry]
    now: datetime

    def moving(self, row: OrderAudit | PaymentAudit) -> bool:
        return self.now - row.updated_at < STILL_MOVING

    def settling(self, row: MovementAudit | ProviderEntry) -> bool:
        return self.now - row.made_at < STILL_MOVING

    def all_payments(self) -> Iterator[PaymentAudit]:
        for payments in self.payments.values():
            yield from payments


def read_books(*, now: datetime, progress: Callable[[str, int], None] = lambda what, count: None) -> Books:
    """Raises Unavailable where a domain cannot be asked."""
    payments: dict[UUID, list[PaymentAudit]] = defaultdict(list)
    for payment in _all(resolve(PAYMENTS).audit, "payments", progress):
        payments[payment.order_id].append(payment)
    return Books(
        orders={order.order_id: order for order in _all(resolve(ORDERS).audit, "orders", progress)},
        payments=dict(payments),
        stock=list(_all(resolve(INVENTORY).audit, "stock", progress)),
        # After our own books: what we had booked by then stands in the provider's list by now.
        entries=list(_all(resolve(PAYMENTS).provider_entries, "the provider's list", progress)),
        now=now,
    )


def _all(audit: Callable[..., Any], what: str, progress: Callable[[str, int], None]) -> Iterator[Any]:
    after: str | None = None
    count = 0
    while True:
        page = audit(after=after, limit=PAGE)
        count += len(page.items)
        progress(what, count)
        yield from page.items
        if page.next is None:
            return
        after = page.next


def check_all(books: Books) -> list[Finding]:
    return [check(books) for check in CHECKS]


# --- One check each -------------------------------------------------------------------------------------------------


def paid_once(books: Books) -> Finding:
    says = "a living order has one capture of its total, or holds it until it ships; a cancelled one nets zero"
    finding = Finding(name="V1", says=says)
    captured, moving = Decimal(0), 0
    for order in books.orders.values():
        payments = books.payments.get(order.order_id, [])
        if _is_right(order, payments):
            captured += sum((payment.captured.amount - payment.refunded.amount for payment in payments), Decimal(0))
        elif not order.settled or books.moving(order) or any(books.moving(payment) for payment in payments):
            moving += 1
        else:
            money = ", ".join(f"{p.captures} captures {p.captured}, refunded {p.refunded}" for p in payments) or "none"
            finding.broken.append(f"order {order.order_id} is {order.status}, total {order.total}, payments: {money}")
    finding.figure = f"{len(books.orders):,} orders, {moving} on their way, {captured:,.2f} net"
    return finding


def _is_right(order: OrderAudit, payments: list[PaymentAudit]) -> bool:
    captured = sum((payment.captured.amount for payment in payments), Decimal(0))
    refunded = sum((payment.refunded.amount for payment in payments), Decimal(0))
    held = [payment.amount for payment in payments if payment.status == AUTHORIZED]
    if order.status == order_words.CONFIRMED and not order.paid:
        return held == [order.total] and captured == 0
    if held:
        return order.status == order_words.PENDING and not order.settled
    if order.status in PAID:
        currencies = {payment.captured.currency for payment in payments if payment.captures}
        captures = sum(payment.captures for payment in payments)
        is_paid = captures == 1 and captured == order.total.amount and currencies == {order.total.currency}
        return is_paid and refunded == order.refunded.amount
    return (order.status == order_words.PENDING and not order.settled) or captured == refunded


def no_orphan_capture(books: Books) -> Finding:
    finding = Finding(name="V2", says="a capture without a living order is refunded in full")
    dead = 0
    for payment in books.all_payments():
        order = books.orders.get(payment.order_id)
        if order is not None and order.status != order_words.CANCELLED:
            continue
        dead += payment.captures
        if payment.captured != payment.refunded and not books.moving(payment):
            finding.broken.append(f"payment {payment.payment_id} keeps {payment.captured} of no living order")
    finding.figure = f"{dead} captures of dead orders"
    return finding


def refunds_within_captures(books: Books) -> Finding:
    finding = Finding(name="V3", says="refunds never exceed captures, and happen once")
    refunds = 0
    for payment in books.all_payments():
        refunds += payment.refunds
        if payment.captured < payment.refunded:
            finding.broken.append(f"payment {payment.payment_id} gave back {payment.refunded} of {payment.captured}")
        theirs = (payment.provider_captured, payment.provider_refunded)
        agree = None in theirs or theirs == (payment.captured, payment.refunded)
        if not agree and not books.moving(payment):
            finding.broken.append(
                f"payment {payment.payment_id}: the provider has {theirs[0]} and gave back {theirs[1]},"
                f" we have {payment.captured} and {payment.refunded}"
            )
    finding.figure = f"{refunds} refunds, each compared with the provider's"
    return finding


def stock_conserved(books: Books) -> Finding:
    finding = Finding(name="V4", says="for each sku: on hand + sold = opening + receipts + returns + adjustments")
    for row in books.stock:
        came = row.opening + row.receipts + row.returns + row.adjustments
        if row.on_hand + row.sold != came:
            finding.broken.append(f"{row.sku}: on hand {row.on_hand} + sold {row.sold} is not {came}")
        if not 0 <= row.reserved <= row.on_hand:
            finding.broken.append(f"{row.sku}: reserved {row.reserved} of {row.on_hand} on hand")
        if row.reserved != row.held:
            finding.broken.append(f"{row.sku}: reserved {row.reserved}, its reservations hold {row.held}")
    on_hand, reserved = sum(row.on_hand for row in books.stock), sum(row.reserved for row in books.stock)
    finding.figure = f"{len(books.stock):,} skus, {on_hand:,} on hand, {reserved:,} reserved"
    return finding


def movements_give_balances(books: Books) -> Finding:
    finding = Finding(name="V5", says="the stock movements, summed, give the balances")
    for row in books.stock:
        moved = (row.moved_on_hand, row.moved_reserved, row.moved_sold)
        if moved != (row.on_hand, row.reserved, row.sold):
            balances = (row.on_hand, row.reserved, row.sold)
            finding.broken.append(f"{row.sku}: movements give {moved}, the balances are {balances}")
    finding.figure = f"{len(books.stock):,} skus"
    return finding


def ledger_balances(books: Books) -> Finding:
    finding = Finding(name="V8", says="the payment ledger balances, and agrees with the provider's list both ways")
    debits = credits = Decimal(0)
    for payment in books.all_payments():
        debits += payment.debits.amount
        credits += payment.credits.amount
        if payment.uneven:
            finding.broken.append(f"payment {payment.payment_id} has {payment.uneven} entries that do not balance")
        if payment.held != payment.captured - payment.refunded:
            finding.broken.append(
                f"payment {payment.payment_id}: the ledger holds {payment.held}, the movements differ"
            )
        if payment.provider_captured is None or payment.provider_refunded is None or books.moving(payment):
            continue
        if payment.held != payment.provider_captured - payment.provider_refunded:
            finding.broken.append(
                f"payment {payment.payment_id}: the ledger holds {payment.held}, the provider"
                f" {payment.provider_captured - payment.provider_refunded}"
            )
    if debits != credits:
        finding.broken.append(f"debits {debits:,.2f} are not credits {credits:,.2f}")
    listed, missing = _listed_by_the_provider(books), _booked_by_us(books)
    finding.broken += listed.broken + missing.broken
    finding.figure = f"debits {debits:,.2f}, credits {credits:,.2f}; {listed.figure}, {missing.figure}"
    return finding


def _listed_by_the_provider(books: Books) -> Finding:
    """Each of our movements stands in the provider's list, once and with the same amount."""
    finding = Finding(name="V8", says="each of our movements stands in the provider's list")
    theirs: dict[tuple[str, str], list[ProviderEntry]] = defaultdict(list)
    for entry in books.entries:
        theirs[entry.kind, entry.reference].append(entry)
    ours = [movement for payment in books.all_payments() for movement in payment.movements]
    for movement in ours:
        amounts = [entry.amount for entry in theirs[movement.kind, movement.reference]]
        if amounts != [movement.amount] and not books.settling(movement):
            told = ", ".join(map(str, amounts)) or "nothing"
            finding.broken.append(f"{movement.kind} {movement.reference} is {movement.amount}, the provider has {told}")
    finding.figure = f"{len(ours):,} movements of ours"
    return finding


def _booked_by_us(books: Books) -> Finding:
    """Each entry of the provider's list that has settled is booked with us."""
    finding = Finding(name="V8", says="each entry of the provider's list is booked with us")
    settling = 0
    for entry in books.entries:
        if books.settling(entry):
            settling += entry.booked is None
        elif entry.booked is None:
            finding.broken.append(
                f"the provider has a {entry.kind} {entry.reference} of {entry.amount} for"
                f" {entry.key or 'no key of ours'}, and we have none"
            )
    finding.figure = f"{len(books.entries):,} of the provider's, {settling} on their way"
    return finding


def streams_whole(books: Books) -> Finding:
    finding = Finding(name="V9", says="each stream has versions 1 to n, and folds to the read model")
    for order in books.orders.values():
        if not order.gapless:
            finding.broken.append(f"the stream of {order.order_id} has gaps, or ends elsewhere than the read model")
        if not order.folded:
            finding.broken.append(f"the stream of {order.order_id} does not fold to the read model")
    finding.figure = f"{len(books.orders):,} streams"
    return finding


def one_effect_for_a_key(books: Books) -> Finding:
    finding = Finding(name="V12", says="one Idempotency-Key, one order, one charge")
    for order in books.orders.values():
        if order.keys != 1:
            finding.broken.append(f"{order.keys} keys lead to order {order.order_id}")
        if (charges := len(books.payments.get(order.order_id, []))) > 1:
            finding.broken.append(f"order {order.order_id} was charged for {charges} times")
    finding.figure = f"{len(books.orders):,} keys"
    return finding


CHECKS: tuple[Callable[[Books], Finding], ...] = (
    paid_once,
    no_orphan_capture,
    refunds_within_captures,
    stock_conserved,
    movements_give_balances,
    ledger_balances,
    streams_whole,
    one_effect_for_a_key,
)
