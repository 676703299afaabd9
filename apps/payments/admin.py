"""The console's pages of payments: what was asked of the provider, what it took, and what was given back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import takewhile
from typing import Any

from django.contrib import admin
from django.db.models import Exists, Q
from django.utils.safestring import SafeString

from apps.payments import queries
from apps.payments.gateways import KeyRefused, ProviderFailed, ProviderSilent
from apps.payments.models import Movement, Payment
from apps.payments.service import SERVICE
from contracts._base import Figure, Money, Overview, Trouble
from contracts.payments import AUTHORIZED, CAPTURED, FAILED, PENDING, REFUNDED, UNKNOWN, VOIDED
from runtime.console.actions import Action
from runtime.console.figures import count
from runtime.console.filters import condition_filter, value_filter
from runtime.console.forms import ActionForm, amount, text
from runtime.console.machinery import register_machinery
from runtime.console.overviews import overview_of
from runtime.console.panels import Panel, badge, code, link, moment, short
from runtime.console.records import Records, address_of_list
from runtime.databases.clock import database_time

TONES = {
    AUTHORIZED: "news",
    CAPTURED: "good",
    PENDING: "open",
    UNKNOWN: "open",
    Payment.PROCESSING: "open",
    FAILED: "bad",
    VOIDED: "plain",
    REFUNDED: "news",
}


class RefundForm(ActionForm):
    amount = amount("Amount")
    reason = text("Reason", longest=200)


class Refund(Action[Payment]):
    name = "refund"
    title = "Refund"
    icon = "undo"
    permission = "payments.refund"
    form = RefundForm
    dangerous = True

    def is_legal(self, row: Payment) -> bool:
        return queries.left_of(row) > Money.zero(row.currency)

    def facts(self, row: Payment) -> Mapping[str, Any]:
        return {"status": row.status, "amount": str(row.money), "left to refund": str(queries.left_of(row))}

    def initial(self, row: Payment) -> dict[str, Any]:
        return {"amount": queries.left_of(row).amount}

    def preview(self, row: Payment) -> Sequence[str]:
        return (
            f"So much of the {row.money} goes back to where it came from. That cannot be undone.",
            f"{queries.left_of(row)} is left to give back at the most.",
            "The order stays as it is: to end it as well, cancel it.",
        )

    def run(self, row: Payment, given: Mapping[str, Any], *, key: str) -> str:
        wanted = Money(given["amount"], row.currency)
        refund = SERVICE.refund_payment(payment_id=row.id, key=key, amount=wanted, reason=given["reason"])
        if refund.done_at is None:
            return f"{wanted} is owed, and given back as soon as the provider answers."
        return f"{wanted} is given back."


@admin.register(Payment)
class PaymentPages(Records):
    offers = (Refund(),)
    list_display = ("brief", "state", "sum", "bought", "provider", "method", "reason", "created_at")
    list_display_links = ("brief",)
    list_filter = (
        value_filter("status", "status", list(TONES)),
        condition_filter("outcome", "open", {"not_known": Q(status__in=Payment.OPEN)}),
        condition_filter("refunds", "refund", {"owed": Exists(queries.owed_refunds())}),
        "created_at",
    )
    search_ids = ("id", "order_id", "user_id")
    search_fields = ("=key", "=method")
    search_help_text = "The id of a payment, an order or a customer, or a key"
    ordering = ("-id",)
    fields = (
        "number", "state", "reason", "sum", "left", "order", "customer", "provider", "reference", "method",
        "intent", "key", "created_at", "updated_at",
    )  # fmt: skip
    readonly_fields = ("number", "state", "sum", "left", "order", "customer")

    def panels(self, row: Payment) -> Sequence[Panel]:
        payment = SERVICE.payment(payment_id=row.id, user_id=None)
        return (_attempts(payment), _movements(payment), _refunds(payment))

    @admin.display(description="payment", ordering="id")
    def brief(self, row: Payment) -> SafeString:
        return short(row.id)

    @admin.display(description="order", ordering="order_id")
    def bought(self, row: Payment) -> SafeString:
        return link(address_of_list("orders", "order", q=str(row.order_id)), short(row.order_id))

    @admin.display(description="id")
    def number(self, row: Payment) -> SafeString:
        return code(row.id)

    @admin.display(description="status", ordering="status")
    def state(self, row: Payment) -> SafeString:
        return badge(row.status, TONES.get(row.status, "plain"))

    @admin.display(description="amount", ordering="amount")
    def sum(self, row: Payment) -> str:
        return str(row.money)

    @admin.display(description="left to refund")
    def left(self, row: Payment) -> str:
        return str(queries.left_of(row))

    @admin.display(description="order")
    def order(self, row: Payment) -> SafeString:
        return link(address_of_list("orders", "order", q=str(row.order_id)), row.order_id)

    @admin.display(description="customer")
    def customer(self, row: Payment) -> SafeString | str:
        return link(address_of_list("users", "user", q=str(row.user_id)), row.user_id) if row.user_id else ""


@admin.register(Movement)
class MovementPages(Records):
    called = ("movement of money", "money moved")
    list_display = ("made_at", "direction", "sum", "paid", "reference")
    list_filter = (value_filter("kind", "kind", (Movement.CAPTURE, Movement.REFUND)), "made_at")
    list_select_related = ("payment",)
    search_ids = ("id", "payment__id", "payment__order_id")
    search_fields = ("=key", "=reference")
    search_help_text = "The id of a movement, a payment or an order, a key or the provider's reference"
    ordering = ("-id",)
    fields = ("id", "made_at", "direction", "sum", "paid", "reference", "key")
    readonly_fields = ("direction", "sum", "paid")

    def panels(self, row: Movement) -> Sequence[Panel]:
        rows = [(line.account, line.debit or "", line.credit or "") for line in queries.ledger_of(row)]
        return [Panel(title="Ledger", headers=("Account", "Debit", "Credit"), rows=rows)]

    @admin.display(description="kind", ordering="kind")
    def direction(self, row: Movement) -> SafeString:
        return badge(row.kind, "good" if row.kind == Movement.CAPTURE else "news")

    @admin.display(description="amount", ordering="amount")
    def sum(self, row: Movement) -> str:
        return str(Money(row.amount, row.payment.currency))

    @admin.display(description="payment")
    def paid(self, row: Movement) -> SafeString:
        return link(address_of_list("payments", "payment", q=str(row.payment_id)), short(row.payment_id))


# --- Below a payment ------------------------------------------------------------------------------------------------


def _attempts(payment: Payment) -> Panel:
    rows = [
        (moment(row.started_at), row.action, row.outcome or badge("no answer known", "open"), moment(row.ended_at))
        for row in payment.attempts.all()
    ]
    headers = ("Asked at (UTC)", "Question", "Answer", "Answered at (UTC)")
    return Panel(title="What the provider was asked", headers=headers, rows=rows)


def _movements(payment: Payment) -> Panel:
    rows = [
        (moment(row.made_at), row.kind, Money(row.amount, payment.currency), code(row.reference))
        for row in payment.movements.all()
    ]
    headers = ("Moved at (UTC)", "Kind", "Amount", "The provider's reference")
    return Panel(title="Money that moved", headers=headers, rows=rows, empty="None.")


def _refunds(payment: Payment) -> Panel:
    rows = [
        (
            moment(row.created_at),
            Money(row.amount, payment.currency),
            row.reason,
            moment(row.done_at) or badge("owed", "open"),
        )
        for row in payment.refunds.all()
    ]
    headers = ("Wanted at (UTC)", "Amount", "Reason", "Given back at (UTC)")
    return Panel(title="Refunds", headers=headers, rows=rows, empty="None was asked for.")


def _figures() -> list[Figure]:
    today = database_time("payments").replace(hour=0, minute=0, second=0, microsecond=0)
    captured, refunded = queries.moved_since(today)
    counts, owed = queries.count_by_status(), queries.count_owed_refunds()
    waiting = sum(counts.get(status, 0) for status in Payment.OPEN)
    since = today.isoformat()
    return [
        Figure(
            title="Captured today",
            value=str(captured),
            address=address_of_list("payments", "movement", kind=Movement.CAPTURE, made_at__gte=since),
            note="since midnight UTC",
        ),
        Figure(
            title="Refunded today",
            value=str(refunded),
            address=address_of_list("payments", "movement", kind=Movement.REFUND, made_at__gte=since),
            note="since midnight UTC",
        ),
        count("Outcome not known yet", waiting, address_of_list("payments", "payment", open="not_known")),
        count("Refunds owed", owed, address_of_list("payments", "payment", refund="owed")),
    ]


_OF_LATE = timedelta(seconds=20)
"""Longer than a question takes (PROVIDER_TIMEOUT), and than the longest wait before it is put again."""
_AT_MOST = timedelta(hours=1)
_NO_ANSWERS = (ProviderSilent.outcome, ProviderFailed.outcome, KeyRefused.outcome)


def _troubles() -> Iterator[Trouble]:
    """The provider is away, where more than half of what it was asked of late has no answer."""
    asked, since = queries.questions_of_late(_AT_MOST), database_time("payments") - _OF_LATE
    of_late = [outcome for at, outcome in asked if at >= since]
    if sum(outcome in _NO_ANSWERS for outcome in of_late) * 2 <= len(of_late):
        return
    in_a_row = list(takewhile(lambda question: question[1] in _NO_ANSWERS, asked)) or asked[: len(of_late)]
    refused = asked[0][1] == KeyRefused.outcome
    yield Trouble(
        name="ProviderKeyRefused" if refused else "ProviderSilent",
        what="The payment provider refuses our key: it has expired, or was taken back."
        if refused
        else "The payment provider does not answer: nobody knows what became of payments, and orders wait.",
        since=in_a_row[-1][0],
        address=address_of_list("payments", "payment", open="not_known"),
        press="",
    )


def overview() -> Overview:
    """For the first page, whoever shows it."""
    return overview_of("payments", figures=_figures, troubles=_troubles)


register_machinery("payments")
