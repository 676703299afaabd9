"""What keepers do to a product at the console, and what they are shown before they do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator

from apps.inventory import books
from apps.inventory.models import Change, Product
from apps.inventory.serializers import MOST_UNITS, SKU
from apps.inventory.service import SERVICE
from contracts._base import Money
from runtime.console.actions import Action
from runtime.console.forms import ActionForm, amount, carried, flag, optional_reason, prose, text, whole_number


class _ProductAction(Action[Any]):
    permission = "inventory.change_stock"

    def facts(self, row: Product) -> Mapping[str, Any]:
        stock = row.stock
        return {"on hand": stock.on_hand, "reserved": stock.reserved, "available": stock.available, "sold": stock.sold}


class RestockForm(ActionForm):
    quantity = whole_number("Units that arrived", least=1, most=MOST_UNITS)
    reason = text("Reason", longest=200, help_text="Say, the delivery note's number.")


class Restock(_ProductAction):
    name = "restock"
    title = "Restock"
    icon = "add_box"
    form = RestockForm

    def preview(self, row: Product) -> Sequence[str]:
        return ("So many units more stand on the shelf, and can be bought at once.",)

    def run(self, row: Product, given: Mapping[str, Any], *, key: str) -> str:
        stock = SERVICE.restock(key=key, sku=row.sku, quantity=given["quantity"], reason=given["reason"])
        return f"{given['quantity']} units of {row.sku} arrived: {stock.on_hand} are on hand now."


class AdjustForm(ActionForm):
    quantity = whole_number("Units more, or (with a minus) fewer", least=-MOST_UNITS, most=MOST_UNITS)
    reason = text("Reason", longest=200, help_text="Say, counted on the shelf, or broken.")


class Adjust(_ProductAction):
    name = "adjust"
    title = "Adjust stock"
    icon = "tune"
    form = AdjustForm

    def preview(self, row: Product) -> Sequence[str]:
        return (
            f"The {row.stock.on_hand} units on hand become so many more or fewer, because somebody counted.",
            f"It is refused where fewer would be left than the {row.stock.reserved} that are reserved for orders.",
        )

    def run(self, row: Product, given: Mapping[str, Any], *, key: str) -> str:
        stock = SERVICE.adjust(key=key, sku=row.sku, quantity=given["quantity"], reason=given["reason"])
        return f"{row.sku} is adjusted by {given['quantity']:+d}: {stock.on_hand} are on hand now."


class SetToJournalForm(ActionForm):
    difference = carried(r"^-?\d{1,20}( -?\d{1,20}){2}$")
    reason = text("Reason", longest=200, help_text="Say, what changed the stock beside the journal.")


class SetToJournal(_ProductAction):
    """Bound to the difference that was shown: orders move both sides alike meanwhile."""

    name = "set-to-journal"
    title = "Set to the journal"
    icon = "rule"
    form = SetToJournalForm

    def is_legal(self, row: Product) -> bool:
        return compared(row).drifted

    def initial(self, row: Product) -> dict[str, Any]:
        by = compared(row).difference
        return {"difference": f"{by.on_hand} {by.reserved} {by.sold}"}

    def preview(self, row: Product) -> Sequence[str]:
        return (
            *(_from_to(name, now, then) for name, now, then in counters(compared(row))),
            "Nothing is set where the difference is another one by then, or where the journal itself breaks a rule.",
        )

    def run(self, row: Product, given: Mapping[str, Any], *, key: str) -> str:
        on_hand, reserved, sold = map(int, given["difference"].split())
        by = Change(on_hand=on_hand, reserved=reserved, sold=sold)
        stock = SERVICE.set_to_journal(key=key, sku=row.sku, by=by, reason=given["reason"])
        now = f"{stock.on_hand} on hand, {stock.reserved} reserved, {stock.sold} sold"
        return f"{row.sku} is what its journal says: {now}."


def compared(row: Product) -> books.Compared:
    """Added up once for each page."""
    found: books.Compared = row.__dict__.get("compared") or books.compared(row.sku)
    row.__dict__["compared"] = found
    return found


def counters(found: books.Compared) -> list[tuple[str, int, int]]:
    """Each counter: as it is, and as the journal says."""
    return [
        (name.replace("_", " ").capitalize(), getattr(found.balances, name), getattr(found.journal, name))
        for name in ("on_hand", "reserved", "sold")
    ]


def _from_to(name: str, now: int, then: int) -> str:
    return f"{name} stays {now}." if now == then else f"{name} goes from {now} to {then} ({then - now:+d})."


class ChangeForm(ActionForm):
    name = text("Name", longest=200)
    description = prose("Description", longest=5000, required=False)
    price = amount(f"Price in {settings.SHOP_CURRENCY}")
    active = flag("On sale")
    reason = optional_reason()


class ChangeProduct(Action[Any]):
    name = "change-product"
    title = "Change product"
    icon = "edit"
    permission = "inventory.change_catalogue"
    form = ChangeForm

    def facts(self, row: Product) -> Mapping[str, Any]:
        return {"name": row.name, "description": row.description, "price": str(row.price), "active": row.active}

    def initial(self, row: Product) -> dict[str, Any]:
        return {"name": row.name, "description": row.description, "price": row.price_amount, "active": row.active}

    def preview(self, row: Product) -> Sequence[str]:
        return ("Customers see the change at once. Orders that were placed keep the price they were placed at.",)

    def run(self, row: Product, given: Mapping[str, Any], *, key: str) -> str:
        SERVICE.change_product(sku=row.sku, changes=_details(given))
        return f"{row.sku} is changed."


class AddForm(ChangeForm):
    sku = text(
        "Sku",
        longest=64,
        validators=[RegexValidator(SKU, "A sku is 1 to 64 letters, digits, dots, dashes or underscores.")],
    )
    field_order = ("sku", "name", "description", "price", "active", "reason")


class AddProduct(ChangeProduct):
    """There is no row yet."""

    name = "add-product"
    title = "Add product"
    icon = "add"
    form = AddForm
    makes_new = True

    def initial(self, row: Any) -> dict[str, Any]:
        return {"active": True}

    def preview(self, row: Any) -> Sequence[str]:
        return ("There is a new product, without any stock. Its sku stays as it is for good.",)

    def object_id(self, row: Any, given: Mapping[str, Any]) -> str:
        return str(given["sku"])

    def run(self, row: Any, given: Mapping[str, Any], *, key: str) -> str:
        SERVICE.add_product(sku=given["sku"], **_details(given))
        return f"{given['sku']} is in the catalogue."


def _details(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the form says of the product itself."""
    price = Money(given["price"], settings.SHOP_CURRENCY)
    return {"name": given["name"], "description": given["description"], "price": price, "active": given["active"]}
