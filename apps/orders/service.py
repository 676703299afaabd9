"""What orders does: one method is one use case."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.orders import queries, repository
from apps.orders.aggregate import OrderAggregate
from apps.orders.models import Order, OrderKey, OrderRefund
from apps.orders.rebuilding import Rebuilt, rebuild
from apps.orders.sagas import CancelOrder, PlaceOrder, ReturnOrder, ShipOrder
from apps.orders.timeline import timeline
from apps.orders.wishes import Wish, priced, total_of
from contracts import orders as contract
from contracts._base import Money, Rejected, new_id
from contracts.inventory import INVENTORY
from contracts.orders import CONFIRMED, PENDING, OrderLine
from runtime.calls import resolve
from runtime.console.overseeing import Overseeing
from runtime.databases.keyset import Page, PageRequest
from runtime.databases.rows import insert_once
from runtime.dynconf import value
from runtime.eventstore.store import Recorded
from runtime.messaging.listening import Listening
from runtime.saga.engine import advance
from runtime.saga.run import LeaseLost, Run
from runtime.saga.store import start, wake
from runtime.telemetry.crashpoints import crashpoint
from runtime.telemetry.logs import mention
from runtime.telemetry.spans import annotate

log = logging.getLogger(__name__)

ALIAS = "orders"

UNDO_BUDGET = 2.0
"""Seconds a cancelling request helps to give money and stock back before a worker goes on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """``replayed``: this key was used before, and this is the order it led to, as it is now."""

    order: Order
    replayed: bool


class NotPaid(Rejected):
    """The money that was held for this order cannot be taken, so that it was not shipped. It can be cancelled."""

    code: ClassVar[str] = "not_paid"


class NoSuchVersion(Rejected):
    """The order had no such version, or did not exist at that time."""

    code: ClassVar[str] = "no_such_version"


class NotAccepting(Rejected):
    """No new orders are taken at the moment. What was ordered goes on."""

    code: ClassVar[str] = "not_accepting_orders"


class KeyUsedForAnother(Rejected):
    """This Idempotency-Key was used before, for another order."""

    code: ClassVar[str] = "idempotency_key_reused"


class Orders(Listening, Overseeing):
    """Implements contracts.orders.OrderService, and what customers and operators do with orders."""

    domain = "orders"

    # --- Placing ----------------------------------------------------------------------------------------------------

    def place(self, wish: Wish, *, key: str, fingerprint: str, respond_async: bool = False) -> Placed:
        """
        One order for this key, gone as far as the inline budget lasts.

        Raises UnknownProducts, TotalTooLarge, KeyUsedForAnother; NotAccepting while no new orders are taken, and
        Unavailable where inventory cannot be asked (then nothing is stored). A refused order is not an error here: it
        exists, cancelled, with its reason.
        """
        if placed := self._placed_before(wish.placed_by, key, fingerprint):
            return placed
        if not value("orders.accepting"):
            raise NotAccepting
        items = priced(wish.lines, resolve(INVENTORY).quote(skus=sorted({line.sku for line in wish.lines})))
        begun = self._create(wish, items, key=key, fingerprint=fingerprint)
        if begun is None:
            placed = self._placed_before(wish.placed_by, key, fingerprint)
            assert placed is not None, "a key that is taken leads to an order"
            return placed
        crashpoint("api.after_commit_before_reply")
        _help(begun, budget=0.0 if respond_async else value("orders.budget"))
        return Placed(order=queries.order(begun.subject), replayed=False)

    def _create(self, wish: Wish, items: tuple[OrderLine, ...], *, key: str, fingerprint: str) -> Run | None:
        """The order, its key and its saga in one transaction. None where the key is taken."""
        order = OrderAggregate(id=new_id())
        order.create(user_id=wish.user_id, items=items, total=total_of(items))
        with transaction.atomic(using=ALIAS):
            taken = OrderKey(principal=wish.placed_by, key=key, fingerprint=fingerprint, order_id=order.id)
            if not insert_once(taken, using=ALIAS):
                return None
            repository.save(order, expected_version=0)
            repository.write_note(order, "note", wish.note)
            data = {
                "userId": str(wish.user_id),
                "paymentMethod": wish.payment_method,
                "capture": settings.PAYMENT_CAPTURE,
            }
            run = start(PlaceOrder, subject=order.id, data=data)
            crashpoint("api.before_commit")
        _tell(order)
        return run

    def _placed_before(self, principal: UUID, key: str, fingerprint: str) -> Placed | None:
        taken = OrderKey.objects.using(ALIAS).filter(principal=principal, key=key).first()
        if taken is None:
            return None
        if taken.fingerprint != fingerprint:
            raise KeyUsedForAnother
        return Placed(order=queries.order(taken.order_id), replayed=True)

    # --- Afterwards -------------------------------------------------------------------------------------------------

    def cancel(self, *, order_id: UUID, reason: str) -> Order:
        """
        Cancelled at once; money and stock follow. Cancelled before: the same. Raises OrderUnknown, WrongStatus.
        """
        before: list[str | None] = []
        undo: list[Run] = []

        def decide(order: OrderAggregate) -> None:
            before[:] = [order.status]
            order.cancel(reason="cancelled")

        def also(order: OrderAggregate) -> None:
            if before == [PENDING]:
                # Whoever is placing it finds it cancelled, and undoes what was done.
                wake(PlaceOrder, subject=order_id)
            if before == [CONFIRMED] and (run := start(CancelOrder, subject=order_id, data={})):
                undo[:] = [run]
            if before in ([PENDING], [CONFIRMED]):
                repository.write_note(order, "cancel", reason)

        repository.change(order_id, decide, also=also)
        for run in undo:
            _help(run, budget=UNDO_BUDGET)
        return queries.order(order_id)

    def ship(self, *, order_id: UUID, carrier: str, tracking_number: str) -> Order:
        """
        It leaves the house. Where its money is only held, that is taken first: the order answered may be confirmed
        still, and then it is shipped as soon as the provider has said so.

        Raises OrderUnknown, WrongStatus unless it is confirmed, NotPaid where its money cannot be taken.
        """
        parcel = {"carrier": carrier, "tracking_number": tracking_number}
        shipment_id = new_id()
        started: list[Run] = []

        def decide(order: OrderAggregate) -> None:
            if order.paid or order.status != CONFIRMED:
                order.ship(**parcel)
            else:
                order.pack(shipment_id=shipment_id, **parcel)

        def also(order: OrderAggregate) -> None:
            if order.shipment and (run := start(ShipOrder, subject=shipment_id, data={"orderId": str(order_id)})):
                started[:] = [run]

        repository.change(order_id, decide, also=also)
        for run in started:
            _help(run, budget=value("orders.budget"))
            if run.refusal is not None:
                raise NotPaid(reason=run.refusal["code"])
        return queries.order(order_id)

    def deliver(self, *, order_id: UUID) -> Order:
        """Raises OrderUnknown, WrongStatus unless it is shipped."""
        repository.change(order_id, OrderAggregate.deliver)
        return queries.order(order_id)

    def take_back(self, *, order_id: UUID, return_id: UUID, units: Mapping[str, int], reason: str) -> Order:
        """
        So many units of these products came back: they cost what they cost, and go back on the shelf. Once for each
        ``return_id``. Raises OrderUnknown, WrongStatus unless it is delivered, NotReturnable.
        """
        started: list[Run] = []

        def also(order: OrderAggregate) -> None:
            made = next(made for made in order.returns if made.return_id == return_id)
            data = {"orderId": str(order_id), "amount": str(made.refund.amount), "currency": made.refund.currency}
            if run := start(ReturnOrder, subject=return_id, data=data):
                started[:] = [run]
                repository.write_note(order, "return", reason)

        repository.change(order_id, partial(OrderAggregate.take_back, return_id=return_id, units=units), also=also)
        for run in started:
            _help(run, budget=UNDO_BUDGET)
        return queries.order(order_id)

    # --- When others announce something -----------------------------------------------------------------------------

    def forget_user(self, *, user_id: UUID) -> None:
        """
        What was written about this user's orders, in words, is forgotten, and nothing is written any more. The orders
        stay. Called inside the inbox's transaction.
        """
        repository.forget_words_about(user_id)

    def payment_settled(self, *, order_id: UUID) -> None:
        """What the order waits for may have happened. Called inside the inbox's transaction."""
        wake(PlaceOrder, subject=order_id)

    def refund_booked(self, *, order_id: UUID, refund_id: UUID, amount: Money) -> None:
        """Money was given back on an order. Called inside the inbox's transaction."""
        insert_once(OrderRefund(refund_id=refund_id, order_id=order_id, amount=amount.amount), using=ALIAS)

    # --- To look at -------------------------------------------------------------------------------------------------

    def orders(self, *, user_id: UUID | None, status: str | None, page: PageRequest) -> Page[Order]:
        return queries.orders(user_id=user_id, status=status, page=page)

    def order(self, *, order_id: UUID, user_id: UUID | None) -> Order:
        """``user_id``: only if it is theirs. Raises OrderUnknown."""
        return queries.order(order_id, user_id=user_id)

    def order_before(
        self, *, order_id: UUID, user_id: UUID | None, version: int | None = None, as_of: datetime | None = None
    ) -> Order:
        """
        The order as it was after that version, or at that time (inclusive). Raises OrderUnknown, NoSuchVersion.
        """
        queries.order(order_id, user_id=user_id)
        recorded = [
            entry
            for entry in repository.history(order_id)
            if (version is None or entry.version <= version) and (as_of is None or entry.recorded_at <= as_of)
        ]
        if not recorded or (version is not None and recorded[-1].version != version):
            raise NoSuchVersion
        return repository.folded(recorded)

    def events(self, *, order_id: UUID, user_id: UUID | None) -> list[Recorded]:
        """The order's stream. Raises OrderUnknown."""
        queries.order(order_id, user_id=user_id)
        return repository.history(order_id)

    def timeline(self, *, order_id: UUID) -> list[dict[str, Any]]:
        """All that every domain has to say of this order. Raises OrderUnknown, Unavailable."""
        return timeline(queries.order(order_id))

    def rebuild_read_model(self, *, progress: Callable[[int], None]) -> Rebuilt:
        """Every row made anew from its stream. Safe at any time, and again."""
        return rebuild(progress=progress)

    def get(self, *, order_id: UUID) -> contract.Order:
        return queries.as_contract(queries.order(order_id))

    def audit(self, *, after: str | None, limit: int) -> contract.OrderAuditPage:
        return queries.audit(after=after, limit=limit)


SERVICE = Orders()


# --- The parts of a use case ----------------------------------------------------------------------------------------


def _tell(order: OrderAggregate) -> None:
    """The trace and the log of whoever places it say which order it is, and how large. Ids and sums, no names."""
    assert order.user_id is not None
    assert order.total is not None
    mention(order_id=str(order.id), user_id=str(order.user_id))
    annotate(
        {
            "order.id": str(order.id),
            "order.userId": str(order.user_id),
            "order.itemCount": len(order.items),
            "order.totalAmount": str(order.total.amount),
            "order.currency": order.total.currency,
        }
    )


def _help(run: Run, *, budget: float) -> None:
    """Go on with a run inline. Whatever stops us, a worker finds it and goes on."""
    try:
        advance(run, budget=budget)
    except LeaseLost:
        log.warning("the lease on %s was lost", run.subject)
