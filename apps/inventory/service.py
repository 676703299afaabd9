"""What inventory does: one method is one use case and one transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from apps.inventory import books, queries
from apps.inventory.models import Change, Product, Reservation, Stock, StockMovement
from contracts import inventory as contract
from contracts._base import Money, Rejected
from contracts.inventory import Line, OutOfStock, ReservationClosed, UnknownSku
from runtime.calls.fence import pass_fence
from runtime.console.overseeing import Overseeing
from runtime.databases.clock import Now
from runtime.databases.keyset import Page, PageRequest
from runtime.databases.rows import insert_once
from runtime.databases.transactions import retrying
from runtime.messaging import publish
from runtime.messaging.listening import Listening

log = logging.getLogger(__name__)

ALIAS = "inventory"

RESERVATION_ALARM = timedelta(minutes=30)
"""A reservation held for longer than this is looked into. It is not freed: a payment may be under way."""


class SkuTaken(Rejected):
    """There is a product with this sku already."""

    code = "sku_taken"


class BelowReserved(Rejected):
    """This would leave fewer units than are held for orders."""

    code = "below_reserved"


class Inventory(Listening, Overseeing):
    """Implements contracts.inventory.InventoryService, and what the catalogue's keepers do."""

    domain = "inventory"

    # --- For other domains ------------------------------------------------------------------------------------------

    def quote(self, *, skus: Sequence[str]) -> tuple[contract.QuotedProduct, ...]:
        return queries.quote(skus)

    def reserve(self, *, key: str, order_id: UUID, lines: Sequence[Line]) -> contract.Reservation:
        wanted = _summed(lines)
        reservation = retrying(lambda: _reserve(key, order_id, wanted), using=ALIAS)
        if reservation.state == Reservation.CLOSED:
            raise ReservationClosed
        if reservation.state == Reservation.REFUSED:
            raise OutOfStock(skus=[line.sku for line in reservation.held_lines])
        return _as_contract(reservation)

    def release(self, *, key: str, order_id: UUID) -> None:
        retrying(lambda: _release(key, order_id), using=ALIAS)

    def history(self, *, order_id: UUID) -> tuple[contract.StockMoment, ...]:
        return queries.history(order_id)

    def audit(self, *, after: str | None, limit: int) -> contract.StockAuditPage:
        return queries.audit(after=after, limit=limit)

    # --- When others announce something -----------------------------------------------------------------------------

    def order_shipped(self, *, order_id: UUID) -> None:
        """What was held for the order has left the shelf. Called inside the inbox's transaction."""
        reservation = Reservation.objects.using(ALIAS).select_for_update().get(order_id=order_id)
        if reservation.state != Reservation.HELD:
            raise AssertionError(f"order {order_id} was shipped while its reservation is {reservation.state}")
        lines = {line.sku: line.quantity for line in reservation.held_lines}
        Stock.objects.lock(list(lines))
        Stock.objects.move(
            {sku: Change(on_hand=-units, reserved=-units, sold=units) for sku, units in lines.items()},
            kind=StockMovement.SHIP,
            key=f"{order_id}:ship",
            order_id=order_id,
        )
        _set_state(reservation, Reservation.SHIPPED)
        _tell_balances(list(lines), order_id=order_id)

    def order_returned(self, *, return_id: UUID, order_id: UUID, lines: Sequence[Line]) -> None:
        """Goods are back on the shelf. ``sold`` stays: it is gross. Called inside the inbox's transaction."""
        units = _summed(lines)
        Stock.objects.lock(list(units))
        Stock.objects.move(
            {sku: Change(on_hand=back) for sku, back in units.items()},
            kind=StockMovement.RETURN,
            key=f"{return_id}:return",
            order_id=order_id,
        )
        _tell_balances(list(units), order_id=order_id)

    # --- What comes due ---------------------------------------------------------------------------------------------

    def alarm_overdue(self) -> bool:
        """Tell, once each, of reservations that were held for too long. They stay held. Whether there may be more."""
        overdue = Reservation.objects.using(ALIAS).filter(
            state=Reservation.HELD, alarmed_at=None, expires_at__lte=Now()
        )
        found = list(overdue.order_by("expires_at").values_list("order_id", flat=True)[:100])
        for order_id in found:
            log.warning("the reservation of order %s is overdue: see what became of the order", order_id)
        Reservation.objects.using(ALIAS).filter(order_id__in=found).update(alarmed_at=Now())
        return len(found) == 100

    def look_for_drift(self) -> bool:
        """Mark stock that is not what its movements add up to, a slice of the catalogue at a time. Never says more."""
        books.look()
        return False

    def drifted(self) -> int:
        """How many products' stock is marked as not what its movements add up to."""
        return books.drifted()[0]

    # --- The catalogue ----------------------------------------------------------------------------------------------

    def products(self, *, search: str, page: PageRequest) -> Page[Product]:
        return queries.products(search=search, page=page)

    def product(self, *, sku: str) -> Product:
        """Raises UnknownSku."""
        return queries.product(sku)

    def stock(self, *, sku: str) -> Stock:
        """Raises UnknownSku."""
        return queries.stock(sku)

    def add_product(self, *, sku: str, name: str, description: str, price: Money, active: bool) -> Product:
        """Raises SkuTaken. A new product has no stock."""
        product = Product(
            sku=sku,
            name=name,
            description=description,
            price_amount=price.amount,
            price_currency=price.currency,
            active=active,
        )
        with transaction.atomic(using=ALIAS):
            if not insert_once(product, using=ALIAS):
                raise SkuTaken(sku=sku)
            Stock(sku=product).save(using=ALIAS, force_insert=True)
        return product

    def change_product(self, *, sku: str, changes: dict[str, object]) -> Product:
        """Change name, description, price or active. Raises UnknownSku."""
        fields = dict(changes)
        if (price := fields.pop("price", None)) is not None:
            assert isinstance(price, Money)
            fields |= {"price_amount": price.amount, "price_currency": price.currency}
        if fields and not Product.objects.using(ALIAS).filter(sku=sku).update(**fields):
            raise UnknownSku(skus=[sku])
        return queries.product(sku)

    # --- The shelf --------------------------------------------------------------------------------------------------

    def open_stock(self, *, key: str, sku: str, quantity: int) -> Stock:
        """What stands on the shelf when the books are opened. Once for each key. Raises UnknownSku."""
        return self._move(key=key, sku=sku, units=quantity, kind=StockMovement.OPENING, reason="opening stock")

    def restock(self, *, key: str, sku: str, quantity: int, reason: str) -> Stock:
        """So many units more arrived. Once for each key. Raises UnknownSku."""
        return self._move(key=key, sku=sku, units=quantity, kind=StockMovement.RECEIPT, reason=reason)

    def adjust(self, *, key: str, sku: str, quantity: int, reason: str) -> Stock:
        """The shelf was counted: so many units more or (negative) fewer. Raises UnknownSku, BelowReserved."""
        return self._move(key=key, sku=sku, units=quantity, kind=StockMovement.ADJUSTMENT, reason=reason)

    def set_to_journal(self, *, key: str, sku: str, by: Change, reason: str) -> Stock:
        """
        Set balances that drifted to what the movements add up to, which changes them by ``by``. Once for each key.
        Raises UnknownSku, NotDrifted, DriftedOtherwise, JournalBroken.
        """

        def work() -> None:
            locked = Stock.objects.lock([sku])
            if sku not in locked:
                raise UnknownSku(skus=[sku])
            if books.set_to_journal(locked[sku], by=by, key=key, reason=reason):
                _tell_balances([sku])

        retrying(work, using=ALIAS)
        return queries.stock(sku)

    def _move(self, *, key: str, sku: str, units: int, kind: str, reason: str) -> Stock:
        def work() -> None:
            locked = Stock.objects.lock([sku])
            if sku not in locked:
                raise UnknownSku(skus=[sku])
            already = StockMovement.objects.using(ALIAS).filter(key=f"{kind}:{key}", sku=sku).exists()
            if not already and locked[sku].on_hand + units < locked[sku].reserved:
                raise BelowReserved
            if Stock.objects.move({sku: Change(on_hand=units)}, kind=kind, key=f"{kind}:{key}", reason=reason):
                _tell_balances([sku])

        retrying(work, using=ALIAS)
        return queries.stock(sku)


SERVICE = Inventory()


# --- The parts of a use case ----------------------------------------------------------------------------------------


def _summed(lines: Sequence[Line]) -> dict[str, int]:
    """Units by sku: a sku may stand in several lines."""
    units: dict[str, int] = {}
    for line in lines:
        units[line.sku] = units.get(line.sku, 0) + line.quantity
    return units


def _reserve(key: str, order_id: UUID, wanted: dict[str, int]) -> Reservation:
    reservation, is_new = _begin(key, order_id, wanted, state=Reservation.HELD)
    if not is_new:
        return reservation
    stock = Stock.objects.lock(list(wanted))
    if unknown := [sku for sku in wanted if sku not in stock or not stock[sku].sku.active]:
        raise UnknownSku(skus=sorted(unknown))
    if missing := {sku: units for sku, units in wanted.items() if stock[sku].available < units}:
        reservation.lines = _plain(missing)
        _set_state(reservation, Reservation.REFUSED)
        publish(contract.InventoryInsufficient(order_id=order_id, items=reservation.held_lines), using=ALIAS)
        return reservation
    Stock.objects.move(
        {sku: Change(reserved=units) for sku, units in wanted.items()},
        kind=StockMovement.RESERVE,
        key=f"{order_id}:reserve",
        order_id=order_id,
    )
    publish(contract.InventoryReserved(order_id=order_id, items=reservation.held_lines), using=ALIAS)
    _tell_low(stock, wanted)
    return reservation


def _release(key: str, order_id: UUID) -> None:
    reservation, is_new = _begin(key, order_id, {}, state=Reservation.CLOSED)
    if is_new or reservation.state in {Reservation.CLOSED, Reservation.SHIPPED}:
        return
    if reservation.state == Reservation.HELD:
        lines = {line.sku: line.quantity for line in reservation.held_lines}
        Stock.objects.lock(list(lines))
        Stock.objects.move(
            {sku: Change(reserved=-units) for sku, units in lines.items()},
            kind=StockMovement.RELEASE,
            key=f"{order_id}:release",
            order_id=order_id,
        )
        publish(contract.InventoryReleased(order_id=order_id, items=reservation.held_lines), using=ALIAS)
    _set_state(reservation, Reservation.CLOSED)


def _begin(key: str, order_id: UUID, wanted: dict[str, int], *, state: str) -> tuple[Reservation, bool]:
    """The order's reservation, locked, and whether it was made just now. Raises Superseded."""
    pass_fence(using=ALIAS)
    reservation = Reservation(
        order_id=order_id, key=key, state=state, lines=_plain(wanted), expires_at=Now() + RESERVATION_ALARM
    )
    is_new = insert_once(reservation, using=ALIAS)
    return Reservation.objects.using(ALIAS).select_for_update().get(order_id=order_id), is_new


def _set_state(reservation: Reservation, state: str) -> None:
    reservation.state = state
    Reservation.objects.using(ALIAS).filter(pk=reservation.pk).update(
        state=state, lines=reservation.lines, updated_at=Now()
    )


def _tell_low(before: Mapping[str, Stock], taken: Mapping[str, int]) -> None:
    """Only when the line is crossed, so that a product that sells on is not told of with each order."""
    for sku, units in taken.items():
        left, line = before[sku].available - units, before[sku].sku.low_at
        if left <= line < before[sku].available:
            publish(contract.InventoryLow(sku=sku, available=left), using=ALIAS)


def _tell_balances(skus: list[str], *, order_id: UUID | None = None) -> None:
    for stock in Stock.objects.using(ALIAS).filter(sku__in=skus).order_by("sku"):
        publish(
            contract.InventoryUpdated(
                sku=stock.sku_id,
                on_hand=stock.on_hand,
                reserved=stock.reserved,
                sold=stock.sold,
                order_id=order_id,
            ),
            using=ALIAS,
        )


def _plain(units: dict[str, int]) -> list[dict[str, object]]:
    return [{"sku": sku, "quantity": units[sku]} for sku in sorted(units)]


def _as_contract(reservation: Reservation) -> contract.Reservation:
    return contract.Reservation(
        id=reservation.id,
        order_id=reservation.order_id,
        lines=reservation.held_lines,
        state=reservation.state,
        expires_at=reservation.expires_at,
    )
