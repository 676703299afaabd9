"""The console's pages of inventory: products with what stands on the shelf, and what moved there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.inventory import books, queries
from apps.inventory.keeping import AddProduct, Adjust, ChangeProduct, Restock, SetToJournal, compared, counters
from apps.inventory.models import Product, Reservation, StockMovement
from contracts._base import Figure, Overview, Trouble
from runtime.console.figures import count
from runtime.console.filters import condition_filter, value_filter
from runtime.console.machinery import register_machinery
from runtime.console.overviews import overview_of
from runtime.console.panels import Panel, badge, link, moment, short
from runtime.console.records import Records, address_of_list
from runtime.databases.clock import Now

KINDS = ("opening", "receipt", "adjustment", "return", "reserve", "release", "ship", "correction")
STATES = {"held": "open", "shipped": "good", "closed": "plain", "refused": "bad"}
SHOWN_MOVEMENTS = 50

# --- What is shown --------------------------------------------------------------------------------------------------


def _balance(name: str) -> Callable[[Any, Product], int]:
    """A column with one of the balances."""

    @admin.display(description=name.replace("_", " "), ordering=f"stock__{name}")
    def balance(self: object, row: Product) -> int:
        return int(getattr(row.stock, name))

    return balance


@admin.register(Product)
class ProductPages(Records):
    offers = (AddProduct(), Restock(), Adjust(), SetToJournal(), ChangeProduct())
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
                "drifted": Q(drift__isnull=False),
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
        moved = Panel(title=f"The latest {SHOWN_MOVEMENTS} movements", headers=headers, rows=rows, address=everything)
        return [*_drift(row), moved]

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


def _drift(row: Product) -> list[Panel]:
    """Where the counters are not what the journal says: both, and by how much they differ."""
    found = compared(row)
    if not found.drifted:
        return []
    rows: list[tuple[object, ...]] = [
        (name, now, then, f"{then - now:+d}" if now != then else "") for name, now, then in counters(found)
    ]
    rows.append(("Held by reservations", "", books.held(row.sku), ""))
    since = books.drifted_since(row.sku)
    return [
        Panel(
            title="Stock that drifted",
            headers=("Counter", "Now", "By the journal", "Difference"),
            rows=rows,
            aside=badge(f"since {moment(since)}" if since else "just now", "bad"),
        )
    ]


def _order(row: StockMovement) -> SafeString | str:
    address = address_of_list("orders", "order", q=str(row.order_id))
    return link(address, short(row.order_id)) if row.order_id else ""


def _figures() -> list[Figure]:
    shelf, overdue = queries.count_of_shelf(), queries.count_overdue()
    drifted, since = books.drifted()
    return [
        count("On sale", shelf["active"], address_of_list("inventory", "product", sale="on_sale")),
        count("Low", shelf["low"], address_of_list("inventory", "product", stock="low", sale="on_sale")),
        count("Out of stock", shelf["out"], address_of_list("inventory", "product", stock="out", sale="on_sale")),
        count(
            "Reservations overdue", overdue, address_of_list("inventory", "reservation", late="overdue"), alarming=True
        ),
        count(
            "Stock that drifted",
            drifted,
            address_of_list("inventory", "product", stock="drifted"),
            alarming=True,
            note=f"since {moment(since)}" if since else "",
        ),
    ]


def _troubles() -> Iterator[Trouble]:
    drifted, since = books.drifted()
    if drifted:
        yield Trouble(
            name="StockDrifted",
            what=f"The stock of {drifted} product{'s' if drifted != 1 else ''} is not what was moved adds up to.",
            since=since,
            address=address_of_list("inventory", "product", stock="drifted"),
            press="Set to the journal",
        )


def overview() -> Overview:
    """For the first page, whoever shows it."""
    return overview_of("inventory", figures=_figures, troubles=_troubles)


register_machinery("inventory")
