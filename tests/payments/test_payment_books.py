"""Our books beside the provider's, as V1 to V3 and V8 read them; and what the database itself refuses."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connections, transaction
from django.db.utils import DatabaseError, IntegrityError, ProgrammingError

from apps.payments.models import LedgerLine, Movement
from contracts._base import Money
from tests.payments.till import Till, pounds


def audit(till: Till):
    (row,) = [row for row in till.service.audit(after=None, limit=100).items if row.order_id == till.order_id]
    return row


def figures(row) -> dict[str, object]:
    names = ("status", "captures", "captured", "refunds", "refunded", "provider_captured", "provider_refunded")
    values = {name: getattr(row, name) for name in names}
    return {name: str(value.amount) if isinstance(value, Money) else value for name, value in values.items()}


@pytest.mark.django_db
def test_a_captured_payment_stands_in_both_books(till):
    till.charge()

    row = audit(till)

    assert figures(row) == {
        "status": "captured",
        "captures": 1,
        "captured": "25.00",
        "refunds": 0,
        "refunded": "0.00",
        "provider_captured": "25.00",
        "provider_refunded": "0.00",
    }
    assert (row.debits, row.credits, row.uneven, row.held) == (pounds("25.00"), pounds("25.00"), 0, pounds("25.00"))


@pytest.mark.django_db
def test_a_refunded_payment_nets_zero_in_both_books(till):
    till.charge()
    till.service.refund(key="k", charge_key=till.key, amount=pounds("5.00"), reason="")
    till.void()

    row = audit(till)

    assert (row.refunds, row.captured, row.refunded) == (2, pounds("25.00"), pounds("25.00"))
    assert (row.provider_captured, row.provider_refunded) == (pounds("25.00"), pounds("25.00"))
    assert (row.debits, row.credits, row.held) == (pounds("50.00"), pounds("50.00"), pounds("0.00"))


@pytest.mark.django_db
def test_a_capture_that_only_the_provider_knows_of_shows(theirs, provider):
    provider.misbehave["charge"] = ["after"]
    theirs.charge()

    row = audit(theirs)

    assert (row.status, row.captures, row.captured) == ("unknown", 0, pounds("0.00"))
    assert row.provider_captured == pounds("25.00")


@pytest.mark.django_db
def test_a_provider_that_does_not_answer_is_not_taken_for_one_that_has_nothing(theirs, provider):
    theirs.charge()
    provider.misbehave["look_up"] = ["before"]

    row = audit(theirs)

    assert (row.provider_captured, row.provider_refunded) == (None, None)


@pytest.mark.django_db
def test_a_mark_without_a_charge_is_in_the_books_with_nothing(till):
    till.void()

    assert set(figures(audit(till)).values()) == {"voided", 0, "0.00"}


@pytest.mark.django_db
def test_the_books_come_in_pages(till):
    tills = [Till(till.service) for _ in range(5)]
    for one in tills:
        one.charge()

    first = till.service.audit(after=None, limit=3)
    second = till.service.audit(after=first.next, limit=3)

    assert [row.order_id for row in (*first.items, *second.items)] == [one.order_id for one in tills]
    assert (first.next, second.next) == (str(first.items[-1].payment_id), None)


# --- What the database refuses --------------------------------------------------------------------------------------


def test_an_entry_whose_sides_differ_cannot_be_committed(committed, till):
    till.charge()
    movement = Movement(payment=till.row, kind="refund", key="x", amount=Decimal("5.00"), reference="r")

    def book_one_side() -> None:
        with transaction.atomic(using="payments"):
            movement.save(using="payments", force_insert=True)
            LedgerLine(movement=movement, account="customers", debit=Decimal("5.00")).save(using="payments")

    with pytest.raises(DatabaseError):
        book_one_side()

    assert till.moved == [("capture", "25.00")]
    assert len(till.ledger) == 2


@pytest.mark.parametrize(("debit", "credit"), [("0", "0"), ("1.00", "1.00"), ("-1.00", "0")])
def test_a_ledger_line_has_exactly_one_side(committed, till, debit, credit):
    till.charge()
    movement = Movement.objects.using("payments").get()
    line = LedgerLine(movement=movement, account="customers", debit=Decimal(debit), credit=Decimal(credit))

    with pytest.raises(IntegrityError, match="ledger_line_has_one_side"):
        line.save(using="payments")


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["payments_movement", "payments_ledgerline"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_running_role_can_change_no_movement_and_no_ledger_line(table, statement):
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(using="payments"),
        connections["payments"].cursor() as cursor,
    ):
        cursor.execute(statement.format(table))
