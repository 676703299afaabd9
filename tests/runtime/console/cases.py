"""Every action of the console, a record that it can be done to, and what it does to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.utils import quote

from contracts._base import new_id
from runtime.databases.clock import Now
from runtime.dynconf.store import change
from runtime.messaging.models import InboxMessage
from runtime.saga.models import SagaRun
from tests.trade import Trade


@dataclass(frozen=True, slots=True)
class Case:
    """An action, a record that it can be done to, what is typed into its form, and who may do it."""

    page: str
    action: str
    record: Callable[[Trade], Any] | None
    form: dict[str, str]
    roles: frozenset[str]
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        return self.page.partition("/")[0]

    def address(self, row: Any) -> str:
        return f"/admin/{self.page}/{f'{quote(row)}/' if row is not None else ''}{self.action}/"


DOMAINS = ("users", "inventory", "payments", "orders")
EVERYBODY = frozenset({"support", "operator", "administrator"})
KEEPERS = frozenset({"operator", "administrator"})
TWELVE_FIFTY = "12.50 GBP"


def stock(on_hand: int) -> dict[str, int]:
    return {"on hand": on_hand, "reserved": 0, "available": on_hand, "sold": 0}


def drifted(trade: Trade) -> str:
    """A product of which somebody's SQL took three units."""
    from apps.inventory.models import Stock

    sku = trade.product(stock=10)
    Stock.objects.using("inventory").filter(pk=sku).update(on_hand=7)
    return sku


def dead_letter(domain: str) -> UUID:
    """An event that this domain could not handle."""
    row = InboxMessage(
        event_id=new_id(),
        event_type="Something",
        source="orders",
        subject="1",
        sequence=2,
        envelope={"a": 1},
        attempts=6,
        due_at=None,
        parked_at=Now(),
        error="It failed.",
    )
    row.save(using=domain, force_insert=True)
    return row.event_id


def decision(domain: str, action: str, *, attempts: int) -> Case:
    facts = {"event": "Something", "subject": "1", "error": "It failed."}
    return Case(
        f"{domain}/deadletters",
        action,
        lambda _: dead_letter(domain),
        {"reason": "Looked at."},
        KEEPERS,
        {**facts, "attempts": 6},
        {**facts, "attempts": attempts},
    )


def stuck(domain: str) -> UUID:
    """A process of this domain that stopped at its first step."""
    run = SagaRun(
        id=new_id(),
        definition="orders.place_order",
        version=1,
        subject=new_id(),
        state=SagaRun.NEEDS_ATTENTION,
        data={},
        log=[],
        error="It failed.",
    )
    run.save(using=domain, force_insert=True)
    return run.id


def way_on(domain: str, action: str) -> Case:
    facts = {"process": "orders.place_order", "step": "validate_user"}
    return Case(
        f"{domain}/sagarun",
        action,
        lambda _: stuck(domain),
        {"reason": "Looked at."},
        KEEPERS,
        {**facts, "error": "It failed."},
        {**facts, "error": None},
    )


def a_value(text: str | None) -> str:
    """A value that is at its default, or was changed."""
    key = "calls.orders.breaker_failures"
    change(key=key, text=text)
    return key


CASES = (
    *(way_on(domain, "retry-process") for domain in DOMAINS),
    *(way_on(domain, "undo-process") for domain in DOMAINS),
    *(decision(domain, "replay-event", attempts=0) for domain in DOMAINS),
    *(decision(domain, "discard-event", attempts=6) for domain in DOMAINS),
    Case(
        "orders/order",
        "cancel",
        lambda trade: trade.order().id,
        {"reason": "By mistake."},
        EVERYBODY,
        {"status": "confirmed", "reason": None, "version": 2, "total": "25.00 GBP"},
        {"status": "cancelled", "reason": "cancelled", "version": 3, "total": "25.00 GBP"},
    ),
    Case(
        "orders/order",
        "ship",
        lambda trade: trade.order().id,
        {"carrier": "Royal Mail", "tracking_number": "RM1", "reason": "The first one went astray."},
        KEEPERS,
        {"status": "confirmed", "reason": None, "version": 2, "total": "25.00 GBP"},
        {"status": "shipped", "reason": None, "version": 3, "total": "25.00 GBP"},
    ),
    Case(
        "orders/order",
        "deliver",
        lambda trade: trade.shipped().id,
        {"reason": "The customer called."},
        KEEPERS,
        {"status": "shipped", "reason": None, "version": 3, "total": "25.00 GBP"},
        {"status": "delivered", "reason": None, "version": 4, "total": "25.00 GBP"},
    ),
    Case(
        "orders/order",
        "return",
        lambda trade: trade.delivered().id,
        {"units_1": "1", "reason": "Torn."},
        KEEPERS,
        {"status": "delivered", "units left to return": 2, "given back for returns": "0.00 GBP"},
        {
            "status": "delivered",
            "reason": None,
            "version": 5,
            "total": "25.00 GBP",
            "units left to return": 1,
            "given back for returns": "12.50 GBP",
        },
    ),
    Case(
        "payments/payment",
        "refund",
        lambda trade: trade.payment(trade.order()).id,
        {"amount": "5.00", "reason": "Scratched."},
        EVERYBODY,
        {"status": "captured", "amount": "25.00 GBP", "left to refund": "25.00 GBP"},
        {"status": "captured", "amount": "25.00 GBP", "left to refund": "20.00 GBP"},
    ),
    Case(
        "inventory/product",
        "restock",
        lambda trade: trade.product(stock=10),
        {"quantity": "5", "reason": "Note 17"},
        KEEPERS,
        stock(10),
        stock(15),
    ),
    Case(
        "inventory/product",
        "adjust",
        lambda trade: trade.product(stock=10),
        {"quantity": "-3", "reason": "Broken."},
        KEEPERS,
        stock(10),
        stock(7),
    ),
    Case(
        "inventory/product",
        "set-to-journal",
        drifted,
        {"difference": "3 0 0", "reason": "Somebody's SQL."},
        KEEPERS,
        stock(7),
        stock(10),
    ),
    Case(
        "inventory/product",
        "change-product",
        lambda trade: trade.product(),
        {"name": "A better name", "price": "13", "reason": "Misspelt."},
        KEEPERS,
        {"description": "", "price": TWELVE_FIFTY, "active": True},
        {"name": "A better name", "description": "", "price": "13.00 GBP", "active": False},
    ),
    Case(
        "inventory/product",
        "add-product",
        None,
        {"sku": "NEW-1", "name": "New", "description": "", "price": "12.5", "active": "on"},
        KEEPERS,
        {},
        {"name": "New", "description": "", "price": TWELVE_FIFTY, "active": True},
    ),
    Case(
        "users/dynamicvalue",
        "change-value",
        lambda _: a_value(None),
        {"value": "20", "reason": "A test."},
        KEEPERS,
        {"value": "5", "default": True},
        {"value": "20", "default": False},
    ),
    Case(
        "users/dynamicvalue",
        "reset-value",
        lambda _: a_value("20"),
        {"reason": "A test."},
        KEEPERS,
        {"value": "20", "default": False},
        {"value": "5", "default": True},
    ),
    Case(
        "users/user",
        "change-roles",
        lambda trade: trade.customer,
        {"roles": "support", "reason": "She was hired."},
        frozenset({"administrator"}),
        {"roles": "customer", "active": True},
        {"roles": "support", "active": True},
    ),
)
EACH = pytest.mark.parametrize("case", CASES, ids=[f"{case.page}/{case.action}" for case in CASES])
