"""Payments at the console: money goes back once, and never more than came."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.payments.models import Payment
from tests.trade import Trade

pytestmark = pytest.mark.django_db


def address(payment: Payment, page: str = "change") -> str:
    return f"/admin/payments/payment/{payment.id}/{page}/"


def offered(operator: Client, payment: Payment) -> set[str]:
    return {offer["action"].name for offer in operator.get(address(payment)).context["offered"]}


def test_no_more_is_given_back_than_was_paid(sign_in, trade: Trade) -> None:
    operator, payment = sign_in("support"), trade.payment(trade.order())

    assert operator.get(address(payment, "refund")).context["form"].initial["amount"] == payment.money.amount
    assert operator.act(address(payment, "refund"), amount="20.00", reason="Scratched.").status_code == 302
    assert operator.act(address(payment, "refund"), amount="5.01", reason="Scratched.").status_code == 409
    assert operator.act(address(payment, "refund"), amount="5.00", reason="Scratched.").status_code == 302
    assert offered(operator, payment) == set()


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "1e3", "NaN", "x", ""])
def test_what_is_no_amount_is_not_given_back(amount: str, sign_in, trade: Trade) -> None:
    operator, payment = sign_in("support"), trade.payment(trade.order())

    assert operator.act(address(payment, "refund"), amount=amount, reason="Scratched.").status_code in {409, 422}
    assert trade.payment(trade.order()).status == "captured"


def test_a_payment_that_took_nothing_is_not_refunded(sign_in, trade: Trade) -> None:
    payment = trade.payment(trade.order(method="pm_card_declined"))

    assert offered(sign_in("operator"), payment) == set()


def test_a_payments_page_shows_what_was_asked_and_what_moved(sign_in, trade: Trade) -> None:
    operator, order = sign_in("support"), trade.order()
    payment = trade.payment(order)
    operator.act(address(payment, "refund"), amount="5.00", reason="Scratched.")

    page = operator.get(address(payment)).content.decode()

    for words in ("charge", "captured", "capture", "refund", "25.00 GBP", "5.00 GBP", "20.00 GBP", "Scratched."):
        assert words in page
    assert f"/admin/orders/order/?q={order.id}" in page


def test_a_movement_shows_both_sides_of_the_ledger(sign_in, trade: Trade) -> None:
    operator, payment = sign_in("support"), trade.payment(trade.order())
    (movement,) = payment.movements.all()

    page = operator.get(f"/admin/payments/movement/{movement.id}/change/").content.decode()

    assert "customers" in page
    assert "provider" in page
