"""What operators may do to an order at the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms

from apps.orders import queries
from apps.orders.models import Order
from apps.orders.service import SERVICE
from contracts._base import Money
from contracts.orders import CONFIRMED, DELIVERED, PENDING, SHIPPED
from runtime.console.actions import Action
from runtime.console.forms import ActionForm, optional_reason, prose, text, whole_number

__all__ = ["Cancel", "Deliver", "Return", "Ship"]


class _OrderAction(Action[Order]):
    def facts(self, row: Order) -> Mapping[str, Any]:
        return {"status": row.status, "reason": row.reason, "version": row.version, "total": str(row.total_amount)}


class CancelForm(ActionForm):
    reason = prose("Reason", longest=2000, help_text="Kept with the order, for whoever asks later.")


class Cancel(_OrderAction):
    name = "cancel"
    title = "Cancel order"
    icon = "cancel"
    permission = "orders.cancel_any"
    form = CancelForm
    dangerous = True

    def is_legal(self, row: Order) -> bool:
        return row.status in {PENDING, CONFIRMED}

    def preview(self, row: Order) -> Sequence[str]:
        if row.status == PENDING:
            return (
                "The order is cancelled at once. Whatever is placing it finds that and stops.",
                "What was held or taken for it by then is given back, within a minute.",
            )
        return (
            "The order is cancelled at once and cannot be taken up again.",
            "Its units go back on sale.",
            f"{row.total_amount} goes back to the customer, within a minute.",
        )

    def run(self, row: Order, given: Mapping[str, Any], *, key: str) -> str:
        SERVICE.cancel(order_id=row.id, reason=given["reason"])
        return "The order is cancelled. Money and stock follow."


class ShipForm(ActionForm):
    carrier = text("Carrier", longest=100)
    tracking_number = text("Tracking number", longest=100)
    reason = optional_reason()


class Ship(_OrderAction):
    name = "ship"
    title = "Ship order"
    icon = "local_shipping"
    permission = "orders.fulfil"
    form = ShipForm

    def is_legal(self, row: Order) -> bool:
        return bool(row.status == CONFIRMED)

    def preview(self, row: Order) -> Sequence[str]:
        units = sum(line.quantity for line in row.lines)
        return (
            "The order is shipped, and can no longer be cancelled.",
            f"Its {units} reserved unit{'s' if units != 1 else ''} leave the shelf and count as sold.",
        )

    def run(self, row: Order, given: Mapping[str, Any], *, key: str) -> str:
        order = SERVICE.ship(order_id=row.id, carrier=given["carrier"], tracking_number=given["tracking_number"])
        if order.status != SHIPPED:
            return "Its money is being taken. The order is shipped as soon as the provider has said so."
        return f"The order is shipped with {given['carrier']}."


class DeliverForm(ActionForm):
    reason = optional_reason()


class Deliver(_OrderAction):
    name = "deliver"
    title = "Mark as delivered"
    icon = "task_alt"
    permission = "orders.fulfil"
    form = DeliverForm

    def is_legal(self, row: Order) -> bool:
        return bool(row.status == SHIPPED)

    def preview(self, row: Order) -> Sequence[str]:
        return ("The order is delivered. From then on it can be returned.",)

    def run(self, row: Order, given: Mapping[str, Any], *, key: str) -> str:
        SERVICE.deliver(order_id=row.id)
        return "The order is delivered."


class ReturnForm(ActionForm):
    """An order's own has a field for each product of which something is left to come back: see ``form_for``."""

    reason = prose("Reason", longest=2000, help_text="Kept with the order, for whoever asks later.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        numbers = [name for name in self.fields if name.startswith(_UNITS)]
        if all(name in cleaned for name in numbers) and not any(cleaned[name] for name in numbers):
            raise forms.ValidationError("Say of at least one product how many units came back.")
        return cleaned


class Return(_OrderAction):
    name = "return"
    title = "Take goods back"
    icon = "assignment_return"
    permission = "orders.fulfil"
    form = ReturnForm
    dangerous = True
    looks_first = True

    def is_legal(self, row: Order) -> bool:
        return bool(row.status == DELIVERED)

    def form_for(self, row: Order) -> type[ActionForm]:
        left = queries.left_to_return(row.id)
        fields = {
            name: whole_number(f"Units of {sku} that came back, of {left[sku]}", least=0, most=left[sku], initial=0)
            for name, sku in _fields(row).items()
            if left[sku]
        }
        order = ("key", *fields, "reason")
        return type("ReturnFormOfOrder", (ReturnForm,), {**fields, "field_order": order})

    def facts(self, row: Order) -> Mapping[str, Any]:
        back = sum((made.refund for made in row.returned), Money.zero(row.currency))
        left = sum(queries.left_to_return(row.id).values())
        return {**super().facts(row), "units left to return": left, "given back for returns": str(back)}

    def preview(self, row: Order) -> Sequence[str]:
        return (
            "What came back goes on the shelf again, and what was paid for it goes back to the customer.",
            f"Up to {_listed(queries.left_to_return(row.id))} can come back.",
            "Say how many did: the next page shows what exactly will happen, and nothing is done before.",
        )

    def exactly(self, row: Order, given: Mapping[str, Any]) -> Sequence[str]:
        made = queries.return_of(row.id, _typed(row, given))
        left = queries.left_to_return(row.id)
        back: dict[str, int] = {}
        for line in made.items:
            left[line.sku] -= line.quantity
            back[line.sku] = back.get(line.sku, 0) + line.quantity
        return (
            _refund_of(made.refund, left=queries.left_of_payment(row)),
            f"{_listed(back)} goes back on the shelf and can be bought again.",
            "Nothing more can come back: the order ends as returned."
            if made.whole
            else f"The order stays delivered: {_listed(left)} can still come back.",
        )

    def run(self, row: Order, given: Mapping[str, Any], *, key: str) -> str:
        units = _typed(row, given)
        order = SERVICE.take_back(order_id=row.id, return_id=UUID(key), units=units, reason=given["reason"])
        made = next(made for made in order.returned if made.return_id == UUID(key))
        return f"{_listed(units)} came back: {made.refund} is given back, and the goods go on the shelf."


_UNITS = "units_"


def _fields(row: Order) -> dict[str, str]:
    """A field's name for each product of the order: the same for as long as there is the order."""
    skus = dict.fromkeys(line.sku for line in row.lines)
    return {f"{_UNITS}{number}": sku for number, sku in enumerate(skus, start=1)}


def _typed(row: Order, given: Mapping[str, Any]) -> dict[str, int]:
    """Units by sku that came back."""
    return {sku: given[name] for name, sku in _fields(row).items() if given.get(name)}


def _refund_of(wanted: Money, *, left: Money) -> str:
    if wanted > left:
        # Payments gives back no more than was taken: the process stops there, and somebody decides.
        return f"Of what was paid {left} is left: giving back {wanted} stops there, and needs a decision at Processes."
    return f"{wanted} goes back to the customer, within a minute. That cannot be undone."


def _listed(units: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {sku}" for sku, count in units.items() if count)
