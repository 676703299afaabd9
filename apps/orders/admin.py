"""The console's pages of orders: what is known of an order, and what may be done to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.orders import queries
from apps.orders.actions import Cancel, Deliver, Return, Ship
from apps.orders.aggregate import EVENT_TYPES, OrderAggregate
from apps.orders.models import Order
from apps.orders.service import SERVICE
from apps.orders.story import story
from apps.orders.timeline import traced
from contracts._base import Figure, Overview
from contracts.orders import CANCELLED, CONFIRMED, DELIVERED, PENDING, RETURNED, SHIPPED
from runtime.codec import encode
from runtime.console.figures import count
from runtime.console.filters import value_filter
from runtime.console.machinery import register_machinery, runs_of
from runtime.console.overviews import overview_of
from runtime.console.panels import Panel, badge, code, json_block, link, moment, short
from runtime.console.records import Records, address_of_list
from runtime.console.timelines import Timeline
from runtime.console.traces import traces_panel
from runtime.eventstore.store import Recorded

TONES = {
    PENDING: "open",
    CONFIRMED: "news",
    SHIPPED: "news",
    DELIVERED: "good",
    CANCELLED: "bad",
    RETURNED: "plain",
}


# --- What is shown --------------------------------------------------------------------------------------------------


@admin.register(Order)
class OrderPages(Records):
    offers = (Ship(), Deliver(), Return(), Cancel())
    list_display = ("brief", "state", "sum", "units", "buyer", "reason", "created_at")
    list_display_links = ("brief",)
    list_filter = (value_filter("status", "status", list(TONES)), "created_at")
    search_ids = ("id", "user_id")
    search_fields = ("id",)
    search_help_text = "An order's id, a customer's id, or a sku"
    ordering = ("-id",)
    fields = ("number", "state", "reason", "sum", "customer", "version", "created_at", "updated_at")
    readonly_fields = ("number", "state", "sum", "customer")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        if not search_term or self.is_id(search_term):
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(items__contains=[{"sku": search_term.strip()}]), False

    def panels(self, row: Order) -> Sequence[Panel | Timeline]:
        """What is there in short; and below it, folded, what the story says in other words."""
        recorded = SERVICE.events(order_id=row.id, user_id=None)
        subjects = OrderAggregate.of(row.id, [entry.event for entry in recorded]).subjects
        logs = [log for subject in subjects for log in runs_of(subject, using="orders")]
        return (
            _lines(row),
            story(row),
            *_returns(row),
            *_notes(row),
            _links(row),
            *(replace(panel, folded=True) for panel in (traces_panel(traced(row)), _stream(recorded), *logs)),
        )

    @admin.display(description="order", ordering="id")
    def brief(self, row: Order) -> SafeString:
        return short(row.id)

    @admin.display(description="id")
    def number(self, row: Order) -> SafeString:
        return code(row.id)

    @admin.display(description="status", ordering="status")
    def state(self, row: Order) -> SafeString:
        return badge(row.status, TONES.get(row.status, "plain"))

    @admin.display(description="total", ordering="total")
    def sum(self, row: Order) -> str:
        return str(row.total_amount)

    @admin.display(description="units")
    def units(self, row: Order) -> int:
        return sum(line.quantity for line in row.lines)

    @admin.display(description="customer", ordering="user_id")
    def buyer(self, row: Order) -> SafeString:
        return link(address_of_list("users", "user", q=str(row.user_id)), short(row.user_id))

    @admin.display(description="customer")
    def customer(self, row: Order) -> SafeString:
        return link(address_of_list("users", "user", q=str(row.user_id)), row.user_id)


def _lines(row: Order) -> Panel:
    return Panel(
        title="Lines",
        headers=("Sku", "Product", "Quantity", "Unit price", "Sum"),
        rows=[
            (
                link(address_of_list("inventory", "product", q=line.sku), line.sku),
                line.name,
                line.quantity,
                line.unit_price,
                line.unit_price * line.quantity,
            )
            for line in row.lines
        ],
    )


def _returns(row: Order) -> list[Panel]:
    rows = [
        (code(made.return_id), ", ".join(f"{line.quantity} x {line.sku}" for line in made.items), made.refund)
        for made in row.returned
    ]
    return [Panel(title="Returns", headers=("Return", "Came back", "Refund"), rows=rows)] if rows else []


def _stream(recorded: Sequence[Recorded]) -> Panel:
    return Panel(
        title="Stream",
        headers=("Version", "Event", "Recorded at (UTC)", "Data"),
        rows=[
            (
                entry.version,
                entry.event.name,
                moment(entry.recorded_at),
                json_block(encode(entry.event, EVENT_TYPES[entry.event.name]).decode()),
            )
            for entry in recorded
        ],
    )


def _notes(row: Order) -> list[Panel]:
    rows = [(moment(note.written_at), note.kind, note.text) for note in queries.notes(row.id)]
    return [Panel(title="Notes", headers=("Written at (UTC)", "About", "Text"), rows=rows)] if rows else []


def _links(row: Order) -> Panel:
    order_id = str(row.id)
    return Panel(
        title="Elsewhere",
        headers=("What", "Where"),
        rows=[
            ("What was paid for it", link(address_of_list("payments", "payment", q=order_id), "Payments")),
            ("What was held for it", link(address_of_list("inventory", "reservation", q=order_id), "Reservations")),
            ("What was moved for it", link(address_of_list("inventory", "stockmovement", q=order_id), "Stock moved")),
            ("What was told of it", link(address_of_list("orders", "outboxmessage", q=order_id), "Events told")),
            ("What operators did to it", link(address_of_list("orders", "auditentry", q=order_id), "Audit")),
        ],
    )


def _figures() -> list[Figure]:
    counts, by_hour = queries.count_by_status(), queries.count_by_hour(24)
    *_, (hour, placed) = by_hour.items()
    return [
        Figure(
            title="Orders this hour",
            value=f"{placed:,}",
            address=address_of_list("orders", "order", created_at__gte=hour.isoformat()),
            note="and in the hours before",
            trend=tuple(by_hour.values()),
        ),
        *(
            count(status.capitalize(), counts.get(status, 0), address_of_list("orders", "order", status=status))
            for status in TONES
        ),
        *(
            count(
                f"Refused: {reason.replace('_', ' ')}",
                number,
                address_of_list("orders", "order", status=CANCELLED, reason=reason),
                note="since the shop opened",
            )
            for reason, number in queries.count_by_refusal().items()
        ),
    ]


def overview() -> Overview:
    """For the first page, whoever shows it."""
    return overview_of("orders", figures=_figures)


register_machinery("orders")
