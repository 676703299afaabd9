"""The console's pages of inventory: products with what stands on the shelf, and what moved there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.validators import RegexValidator
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.inventory import queries
from apps.inventory.models import Product, Reservation, StockMovement
from apps.inventory.serializers import MOST_UNITS, SKU
from apps.inventory.service import SERVICE
from contracts._base import Figure, Money, Overview
from runtime.console.actions import Action
from runtime.console.figures import count
from runtime.console.filters import condition_filter, value_filter
from runtime.console.forms import ActionForm, amount, flag, optional_reason, prose, text, whole_number
from runtime.console.machinery import machinery_figures, register_machinery
from runtime.console.panels import Panel, badge, link, moment, short
from runtime.console.records import Records, address_of_list
from runtime.databases.clock import Now

KINDS = ("opening", "receipt", "adjustment", "return", "reserve", "release", "ship")
STATES = {"held": "open", "shipped": "good", "closed": "plain", "refused": "bad"}
SHOWN_MOVEMENTS = 50

# --- What may be done -----------------------------------------------------------------------------------------------


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


# --- What is shown --------------------------------------------------------------------------------------------------


def _balance(name: str) -> Callable[[Any, Product], int]:
    """A column with one of the balances."""

    @admin.display(description=name.replace("_", " "), ordering=f"stock__{name}")
    def balance(self: object, row: Product) -> int:
        return int(getattr(row.stock, name))

    return balance


@admin.register(Product)
class ProductPages(Records):
    offers = (AddProduct(), Restock(), Adjust(), ChangeProduct())
    list_display = ("sku", "name", "cost", "on_sale", "on_hand", "reserved", "available", "sold")
    list_filter = (
        condition_filter(
            "stock",
            "stock",
            {
                "out": Q(stock__on_hand__lte=F("stock__reserved")),
                "low": Q(
                    stock__on_hand__gt=F("stock__reserved"), stock__on_hand__lte=F("stock__reserved") + F("low_at")
                ),
            },
        ),
        condition_filter("on sale", "sale", {"on_sale": Q(active=True), "not_on_sale": Q(active=False)}),
    )
    search_fields = ("sku",)
    search_help_text = "A sku, or beginnings of words of it or of the name"
    ordering = ("sku",)
    fields = (
        "sku", "name", "description", "cost", "on_sale", "on_hand", "reserved", "available", "sold", "low_at",
        "created_at",
    )  # fmt: skip
    readonly_fields = ("cost", "on_sale", "on_hand", "reserved", "available", "sold")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return super().get_queryset(request).select_related("stock").defer("search")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Product], search_term: str
    ) -> tuple[QuerySet[Product], bool]:
        words = queries.words_of(search_term)
        return (queryset.filter(search=words) if words else queryset), False

    def panels(self, row: Product) -> Sequence[Panel]:
        rows = [
            (moment(move.made_at), badge(move.kind), move.on_hand, move.reserved, move.sold, _order(move), move.reason)
            for move in queries.latest_movements(row.sku, limit=SHOWN_MOVEMENTS)
        ]
        headers = ("Made at (UTC)", "Kind", "On hand", "Reserved", "Sold", "Order", "Reason")
        everything = address_of_list("inventory", "stockmovement", q=row.sku)
        return [Panel(title=f"The latest {SHOWN_MOVEMENTS} movements", headers=headers, rows=rows, address=everything)]

    @admin.display(description="price", ordering="price_amount")
    def cost(self, row: Product) -> str:
        return str(row.price)

    @admin.display(description="on sale", ordering="active")
    def on_sale(self, row: Product) -> SafeString:
        return badge("on sale", "good") if row.active else badge("not on sale")

    on_hand, reserved, sold = (_balance(name) for name in ("on_hand", "reserved", "sold"))

    @admin.display(description="available", ordering=F("stock__on_hand") - F("stock__reserved"))
    def available(self, row: Product) -> int:
        return row.stock.available


@admin.register(StockMovement)
class MovementPages(Records):
    called = ("movement of stock", "stock moved")
    list_display = ("made_at", "product", "kind", "on_hand", "reserved", "sold", "order", "reason")
    list_filter = (value_filter("kind", "kind", KINDS), "made_at")
    search_ids = ("order_id",)
    search_fields = ("=sku__sku", "=key")
    search_help_text = "An order's id, a whole sku or a whole key"
    ordering = ("-id",)
    fields = ("id", "made_at", "product", "kind", "on_hand", "reserved", "sold", "order", "reason", "key")
    readonly_fields = ("product", "order")

    @admin.display(description="product", ordering="sku")
    def product(self, row: StockMovement) -> SafeString:
        return link(address_of_list("inventory", "product", q=row.sku_id), row.sku_id)

    @admin.display(description="order")
    def order(self, row: StockMovement) -> SafeString | str:
        return _order(row)


@admin.register(Reservation)
class ReservationPages(Records):
    list_display = ("brief", "status", "what", "expires_at", "created_at", "updated_at")
    list_filter = (
        value_filter("state", "state", list(STATES)),
        condition_filter("held too long", "late", {"overdue": Q(state=Reservation.HELD, expires_at__lte=Now())}),
    )
    search_ids = ("order_id", "id")
    search_fields = ("order_id",)
    search_help_text = "An order's id, or a sku"
    ordering = ("-order_id",)
    fields = ("order", "id", "status", "what", "expires_at", "alarmed_at", "created_at", "updated_at", "key")
    readonly_fields = ("order", "status", "what")

    @admin.display(description="order")
    def brief(self, row: Reservation) -> SafeString:
        return short(row.order_id)

    @admin.display(description="order")
    def order(self, row: Reservation) -> SafeString | str:
        return link(address_of_list("orders", "order", q=str(row.order_id)), row.order_id)

    @admin.display(description="state", ordering="state")
    def status(self, row: Reservation) -> SafeString:
        return badge(row.state, STATES.get(row.state, "plain"))

    @admin.display(description="lines")
    def what(self, row: Reservation) -> str:
        return ", ".join(f"{line.quantity} x {line.sku}" for line in row.held_lines)


def _order(row: StockMovement) -> SafeString | str:
    address = address_of_list("orders", "order", q=str(row.order_id))
    return link(address, short(row.order_id)) if row.order_id else ""


def _figures() -> list[Figure]:
    shelf, overdue = queries.count_of_shelf(), queries.count_overdue()
    return [
        count("On sale", shelf["active"], address_of_list("inventory", "product", sale="on_sale")),
        count("Low", shelf["low"], address_of_list("inventory", "product", stock="low", sale="on_sale")),
        count("Out of stock", shelf["out"], address_of_list("inventory", "product", stock="out", sale="on_sale")),
        count(
            "Reservations overdue", overdue, address_of_list("inventory", "reservation", late="overdue"), alarming=True
        ),
    ]


def overview() -> Overview:
    """For the first page, whoever shows it."""
    return Overview(records=tuple(_figures()), machinery=machinery_figures("inventory"))


register_machinery("inventory")
