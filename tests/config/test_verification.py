"""The check is checked: each guarantee, broken by hand in one place, is named, and counted, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from config.verification import CHECKS, Books, check_all
from contracts._base import Money
from contracts.inventory import StockAudit
from contracts.orders import OrderAudit
from contracts.payments import MovementAudit, PaymentAudit, ProviderEntry

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
JUST_NOW = NOW - timedelta(seconds=30)


def pounds(text: str) -> Money:
    return Money(Decimal(text), "GBP")


def order(number: int = 1, **changes) -> OrderAudit:
    """Confirmed long ago, over 20.00."""
    return replace(
        OrderAudit(
            order_id=UUID(int=number),
            status="confirmed",
            total=pounds("20.00"),
            refunded=pounds("0.00"),
            gapless=True,
            folded=True,
            settled=True,
            keys=1,
            updated_at=LONG_AGO,
        ),
        **changes,
    )


def payment(number: int = 1, *, id: int = 0, **changes) -> PaymentAudit:
    """One capture of 20.00, in all books."""
    return replace(
        PaymentAudit(
            payment_id=UUID(int=id or number + 100),
            order_id=UUID(int=number),
            status="captured",
            amount=pounds("20.00"),
            captures=1,
            captured=pounds("20.00"),
            refunds=0,
            refunded=pounds("0.00"),
            provider_captured=pounds("20.00"),
            provider_refunded=pounds("0.00"),
            debits=pounds("20.00"),
            credits=pounds("20.00"),
            uneven=0,
            held=pounds("20.00"),
            updated_at=LONG_AGO,
        ),
        **changes,
    )


GIVEN_BACK = {
    "status": "refunded",
    "refunds": 1,
    "refunded": pounds("20.00"),
    "provider_refunded": pounds("20.00"),
    "debits": pounds("40.00"),
    "credits": pounds("40.00"),
    "held": pounds("0.00"),
}
NOTHING_TAKEN = {
    "status": "failed",
    "captures": 0,
    "captured": pounds("0.00"),
    "provider_captured": pounds("0.00"),
    "debits": pounds("0.00"),
    "credits": pounds("0.00"),
    "held": pounds("0.00"),
}
HELD = {**NOTHING_TAKEN, "status": "authorized"}


def stock(sku: str = "A", **changes) -> StockAudit:
    """Ten opened, five came, one back, two miscounted, four sold: ten on hand, three held."""
    return replace(
        StockAudit(
            sku=sku,
            on_hand=10,
            reserved=3,
            sold=4,
            opening=10,
            receipts=5,
            returns=1,
            adjustments=-2,
            held=3,
            moved_on_hand=10,
            moved_reserved=3,
            moved_sold=4,
        ),
        **changes,
    )


def in_euros() -> dict[str, Money]:
    """The whole payment of 20.00, in euros."""
    twenty = ("amount", "captured", "provider_captured", "debits", "credits", "held")
    euros = {name: Money(Decimal("20.00"), "EUR") for name in twenty}
    return euros | {name: Money.zero("EUR") for name in ("refunded", "provider_refunded")}


def held_of(units: int) -> dict[str, int]:
    return {"reserved": units, "moved_reserved": units, "held": units}


def movement(reference: str = "ch_1", kind: str = "capture", amount: str = "20.00", **changes) -> MovementAudit:
    """Made long ago."""
    made = MovementAudit(reference=reference, kind=kind, amount=pounds(amount), made_at=LONG_AGO)
    return replace(made, **changes)


def entry(reference: str = "ch_1", kind: str = "capture", amount: str = "20.00", **changes) -> ProviderEntry:
    """Made long ago, and booked with us."""
    facts = {"reference": reference, "key": f"{reference}:key", "kind": kind, "amount": pounds(amount)}
    return replace(ProviderEntry(**facts, made_at=LONG_AGO, booked=pounds(amount)), **changes)


def books(orders=(), payments=(), stocks=(), entries=()) -> Books:
    by_order: dict[UUID, list[PaymentAudit]] = {}
    for one in payments:
        by_order.setdefault(one.order_id, []).append(one)
    by_id = {one.order_id: one for one in orders}
    return Books(orders=by_id, payments=by_order, stock=list(stocks), entries=list(entries), now=NOW)


def broken(which: Books) -> dict[str, list[str]]:
    return {finding.name: finding.broken for finding in check_all(which) if not finding.holds}


HEALTHY = {
    "to be paid on shipment": books([order(paid=False)], [payment(**HELD)]),
    "confirmed and captured": books([order()], [payment()]),
    "shipped and captured": books([order(status="shipped")], [payment()]),
    "cancelled and given back": books([order(status="cancelled")], [payment(**GIVEN_BACK)]),
    "cancelled and never paid": books([order(status="cancelled")], [payment(**NOTHING_TAKEN)]),
    "cancelled without a payment": books([order(status="cancelled")]),
    "delivered and partly given back": books(
        [order(status="delivered", refunded=pounds("5.00"))],
        [
            payment(
                refunds=1,
                refunded=pounds("5.00"),
                provider_refunded=pounds("5.00"),
                debits=pounds("25.00"),
                credits=pounds("25.00"),
                held=pounds("15.00"),
            )
        ],
    ),
    "returned and given back": books([order(status="returned", refunded=pounds("20.00"))], [payment(**GIVEN_BACK)]),
    "pending and worked on": books([order(status="pending", settled=False)], [payment(**NOTHING_TAKEN)]),
    "a provider that did not answer": books(
        [order()], [payment(provider_captured=None, provider_refunded=None)], [stock()]
    ),
    "confirmed and held until it ships": books(
        [order(paid=False)], [payment(**NOTHING_TAKEN | {"status": "authorized"})]
    ),
    "pending and held": books(
        [order(status="pending", settled=False, paid=False)], [payment(**NOTHING_TAKEN | {"status": "authorized"})]
    ),
    "a mark of a void": books([order(status="cancelled")], [payment(amount=pounds("0.00"), **NOTHING_TAKEN)]),
    "nothing at all": books(),
    "a shelf": books(stocks=[stock("A"), stock("B")]),
    "the provider's list": books(
        [order()],
        [payment(movements=(movement(), movement("re_1", "refund", "5.00")))],
        entries=[entry(), entry("re_1", "refund", "5.00")],
    ),
    "a movement made just now": books([order()], [payment(movements=(movement(made_at=JUST_NOW),))]),
    "an entry made just now": books(entries=[entry(made_at=JUST_NOW, booked=None)]),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_right_is_not_called_broken(name):
    assert broken(HEALTHY[name]) == {}


PLANTED = {
    "V1 to be paid on shipment, and not held": (books([order(paid=False)], [payment(**NOTHING_TAKEN)]), {"V1": 1}),
    "V1 cancelled and held all the same": (
        books([order(status="cancelled")], [payment(**NOTHING_TAKEN | {"status": "authorized"})]),
        {"V1": 1},
    ),
    "V1 paid, and held once more": (
        books([order()], [payment(), payment(id=9, **NOTHING_TAKEN | {"status": "authorized"})]),
        {"V1": 1, "V12": 1},
    ),
    "V1 confirmed and not paid": (books([order()]), {"V1": 1}),
    "V1 paid less than its total": (
        books(
            [order()],
            [
                payment(
                    captured=pounds("19.99"),
                    provider_captured=pounds("19.99"),
                    debits=pounds("19.99"),
                    credits=pounds("19.99"),
                    held=pounds("19.99"),
                )
            ],
        ),
        {"V1": 1},
    ),
    "V1 paid in another currency": (books([order()], [payment(**in_euros())]), {"V1": 1}),
    "V1 captured twice": (books([order()], [payment(), payment(id=9)]), {"V1": 1, "V12": 1}),
    "V1 given back and not booked on the order": (books([order()], [payment(**GIVEN_BACK)]), {"V1": 1}),
    "V1 booked on the order and not given back": (books([order(refunded=pounds("5.00"))], [payment()]), {"V1": 1}),
    "V1 V2 cancelled and kept": (books([order(status="cancelled")], [payment()]), {"V1": 1, "V2": 1}),
    "V1 returned and kept": (books([order(status="returned")], [payment()]), {"V1": 1}),
    "V1 to be paid on shipment and nothing held": (
        books([order(paid=False)], [payment(**NOTHING_TAKEN)]),
        {"V1": 1},
    ),
    "V1 to be paid on shipment and taken already": (books([order(paid=False)], [payment()]), {"V1": 1}),
    "V1 to be paid on shipment and another amount held": (
        books([order(paid=False)], [payment(**{**HELD, "amount": pounds("19.99")})]),
        {"V1": 1},
    ),
    "V1 shipped and only held": (books([order(status="shipped")], [payment(**HELD)]), {"V1": 1}),
    "V1 pending for good with money taken": (books([order(status="pending")], [payment()]), {"V1": 1}),
    "V2 a capture of no order": (books([], [payment()]), {"V2": 1}),
    "V3 more given back than taken": (
        books(
            [order(status="cancelled")],
            [payment(**{**GIVEN_BACK, "refunded": pounds("25.00"), "refunds": 2})],
        ),
        {"V1": 1, "V2": 1, "V3": 2, "V8": 1},
    ),
    "V3 the provider took what we do not know of": (
        books([order(status="cancelled")], [payment(**{**NOTHING_TAKEN, "provider_captured": pounds("20.00")})]),
        {"V3": 1, "V8": 1},
    ),
    "V3 the provider gave nothing back": (
        books([order(status="cancelled")], [payment(**{**GIVEN_BACK, "provider_refunded": pounds("0.00")})]),
        {"V3": 1, "V8": 1},
    ),
    "V4 a unit too many on the shelf": (books(stocks=[stock(on_hand=11, moved_on_hand=11), stock("B")]), {"V4": 1}),
    "V4 a unit sold that never came": (books(stocks=[stock(sold=5, moved_sold=5)]), {"V4": 1}),
    "V4 held and not in a reservation": (books(stocks=[stock(reserved=4, moved_reserved=4)]), {"V4": 1}),
    "V4 in a reservation and not held": (books(stocks=[stock(held=4)]), {"V4": 1}),
    "V4 more held than there is": (
        books(
            stocks=[stock(reserved=11, moved_reserved=11, held=11), stock("B", reserved=-1, moved_reserved=-1, held=-1)]
        ),
        {"V4": 2},
    ),
    "V5 a movement is missing": (books(stocks=[stock(moved_on_hand=9)]), {"V5": 1}),
    "V5 held without a movement": (books(stocks=[stock(moved_reserved=2)]), {"V5": 1}),
    "V5 sold without a movement": (books(stocks=[stock(moved_sold=3)]), {"V5": 1}),
    "V8 an entry with one side": (books([order()], [payment(uneven=1)]), {"V8": 1}),
    "V8 debits that are not credits": (books([order()], [payment(debits=pounds("21.00"))]), {"V8": 1}),
    "V8 a ledger that holds what never moved": (books([order()], [payment(held=pounds("21.00"))]), {"V8": 2}),
    "V8 a movement that the provider does not list": (books([order()], [payment(movements=(movement(),))]), {"V8": 1}),
    "V8 a movement that the provider lists with another amount": (
        books([order()], [payment(movements=(movement(),))], entries=[entry(amount="19.99", booked=pounds("20.00"))]),
        {"V8": 1},
    ),
    "V8 a movement that the provider lists in another currency": (
        books(
            [order()],
            [payment(movements=(movement(),))],
            entries=[replace(entry(), amount=Money(Decimal("20.00"), "EUR"))],
        ),
        {"V8": 1},
    ),
    "V8 a movement that the provider lists twice": (
        books([order()], [payment(movements=(movement(),))], entries=[entry(), entry()]),
        {"V8": 1},
    ),
    "V8 a refund that the provider lists as a capture": (
        books([order()], [payment(movements=(movement(kind="refund"),))], entries=[entry()]),
        {"V8": 1},
    ),
    "V8 entries that we have not booked": (
        books(entries=[entry(booked=None), entry("re_1", "refund", booked=None), entry("ch_2", key="", booked=None)]),
        {"V8": 3},
    ),
    "V9 a gap": (books([order(gapless=False)], [payment()]), {"V9": 1}),
    "V9 a row that strayed": (books([order(folded=False)], [payment()]), {"V9": 1}),
    "V12 no key": (books([order(keys=0)], [payment()]), {"V12": 1}),
    "V12 two keys": (books([order(keys=2)], [payment()]), {"V12": 1}),
    "V12 charged for twice": (books([order()], [payment(), payment(id=9, **NOTHING_TAKEN)]), {"V12": 1}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_named_and_counted_and_no_other_is(name):
    which, expected = PLANTED[name]

    found = broken(which)

    assert {invariant: len(cases) for invariant, cases in found.items()} == expected


def test_every_check_finds_something_among_the_planted():
    found = {invariant for _, expected in PLANTED.values() for invariant in expected}

    assert found == {check(books()).name for check in CHECKS}


@pytest.mark.parametrize(
    "which",
    [
        books([order(updated_at=JUST_NOW)]),
        books([order()], [payment(updated_at=JUST_NOW, **NOTHING_TAKEN)]),
        books([order(settled=False)]),
        books([order(status="cancelled", updated_at=JUST_NOW)], [payment(updated_at=JUST_NOW)]),
        books([], [payment(updated_at=JUST_NOW)]),
    ],
    ids=["order just changed", "payment just changed", "order worked on", "both just changed", "payment came first"],
)
def test_what_was_touched_within_the_minute_is_on_its_way_and_not_broken(which):
    assert broken(which) == {}


def test_what_is_on_its_way_is_counted_as_such():
    moving = books([order(1), order(2, updated_at=JUST_NOW), order(3, settled=False)], [payment(1)])

    figure = next(finding.figure for finding in check_all(moving) if finding.name == "V1")

    assert figure == "3 orders, 2 on their way, 20.00 net"


def test_what_was_compared_with_the_providers_list_is_told_in_figures():
    compared = books(
        [order()],
        [payment(movements=(movement(),))],
        entries=[entry(), entry("ch_2", made_at=JUST_NOW, booked=None)],
    )

    figure = next(finding.figure for finding in check_all(compared) if finding.name == "V8")

    assert figure == "debits 20.00, credits 20.00; 1 movements of ours, 2 of the provider's, 1 on their way"


def test_each_broken_case_is_listed():
    found = broken(books([order(number) for number in range(1, 13)]))

    assert len(found["V1"]) == 12
    assert f"order {UUID(int=7)} is confirmed, total 20.00 GBP, payments: none" in found["V1"]
