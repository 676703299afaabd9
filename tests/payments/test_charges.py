"""A charge takes the money once for its key, or not at all; what nobody knows is said and asked about."""

from __future__ import annotations

from uuid import uuid4

import pytest

from apps.payments.models import Payment, Refund
from contracts._base import Superseded
from contracts.payments import ChargeFailed, InsufficientFunds, PaymentDeclined, PaymentUnknown
from runtime.calls import Lease, call
from tests.payments.till import Till, pounds
from tests.together import shift_clock

pytestmark = pytest.mark.django_db

CAPTURE = [("provider", "25.00", "0.00"), ("customers", "0.00", "25.00")]


def test_a_good_card_is_captured_once_and_booked_on_both_sides(till):
    payment = till.charge("pm_card_visa")

    assert (payment.status, payment.reason, payment.order_id) == ("captured", None, till.order_id)
    assert (payment.amount, payment.refunded) == (pounds("25.00"), pounds("0.00"))
    assert till.moved == [("capture", "25.00")]
    assert till.ledger == CAPTURE
    assert till.told == ["PaymentCaptured"]
    assert till.asked == [("charge", "captured")]
    assert till.sandbox() == ("captured", [])


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("pm_card_declined", PaymentDeclined),
        ("pm_card_insufficient_funds", InsufficientFunds),
        ("pm_card_nobody_knows", PaymentDeclined),
    ],
)
def test_a_bad_card_is_refused_each_time_it_is_asked_and_takes_nothing(till, method, error):
    for ask in (lambda: till.charge(method), lambda: till.charge(method), till.inquire):
        with pytest.raises(error):
            ask()

    assert (till.row.status, till.row.reason) == ("failed", error.code)
    assert (till.moved, till.ledger, till.sandbox()) == ([], [], ("declined", []))
    assert till.told == ["PaymentFailed"]
    assert till.asked == [("charge", "declined")]


def test_a_payment_that_settles_later_is_pending_and_captured_once_its_time_has_come(till):
    assert till.charge("pm_card_async").status == "pending"
    assert till.inquire().status == "pending"
    assert (till.moved, till.told) == ([], [])
    shift_clock("payments", "3 seconds")

    assert till.inquire().status == "captured"
    assert till.inquire().status == "captured"

    assert till.moved == [("capture", "25.00")]
    assert till.told == ["PaymentCaptured"]


def test_a_payment_that_fails_later_is_pending_and_then_failed(till):
    assert till.charge("pm_card_async_fail").status == "pending"
    shift_clock("payments", "3 seconds")

    with pytest.raises(ChargeFailed):
        till.inquire()

    assert (till.row.status, till.row.reason, till.moved) == ("failed", "payment_failed", [])
    assert till.told == ["PaymentFailed"]


def test_a_provider_that_captures_and_never_answers_leaves_an_unknown_payment_until_it_is_asked(till):
    with call(seconds=0.05):
        payment = till.charge("pm_card_timeout")
    assert payment.status == "unknown"
    assert (till.moved, till.told, till.asked) == ([], [], [("charge", "silent")])

    assert till.inquire().status == "captured"

    assert till.moved == [("capture", "25.00")]
    assert till.asked == [("charge", "silent"), ("inquire", "captured")]
    assert till.sandbox() == ("captured", [])


def test_a_second_charge_under_the_same_key_is_the_first(till):
    first = till.charge("pm_card_visa")

    again = till.charge("pm_card_visa")
    other_words = till.charge("pm_card_declined", amount="99.00")

    assert again == other_words == first
    assert till.moved == [("capture", "25.00")]
    assert till.told == ["PaymentCaptured"]


def test_a_charge_again_after_an_unknown_outcome_asks_instead_of_taking_twice(till):
    with call(seconds=0.05):
        till.charge("pm_card_timeout")

    assert till.charge("pm_card_timeout").status == "captured"

    assert till.moved == [("capture", "25.00")]


def test_another_key_is_another_charge(till):
    other = Till(till.service)

    till.charge(), other.charge(amount="1.00")

    assert (till.moved, other.moved) == ([("capture", "25.00")], [("capture", "1.00")])


def test_what_was_never_begun_cannot_be_inquired_about(till):
    with pytest.raises(PaymentUnknown):
        till.inquire()


def test_the_history_of_an_order_tells_attempts_and_movements_in_order_of_time(till):
    with call(seconds=0.05):
        till.charge("pm_card_timeout")
    till.inquire()
    till.void()

    moments = till.service.history(order_id=till.order_id)

    assert [(moment.kind, moment.detail) for moment in moments] == [
        ("payment.charge", "silent"),
        ("payment.inquire", "captured"),
        ("payment.capture", "25.00 GBP"),
        ("payment.refund", "refunded"),
        ("payment.refund", "25.00 GBP"),
    ]
    assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)


def test_whoever_was_asleep_takes_finds_and_gives_back_nothing_once_a_later_holder_of_the_lease_was_here(till):
    run_id = uuid4()
    with call(lease=Lease(id=run_id, epoch=2)):
        till.charge()

    with call(lease=Lease(id=run_id, epoch=1)):
        for late in (
            lambda: till.charge(key="another:charge"),
            till.inquire,
            till.capture,
            till.void,
            lambda: till.service.refund(key="r", charge_key=till.key, amount=pounds("1.00"), reason=""),
        ):
            with pytest.raises(Superseded):
                late()

    assert not Payment.objects.using("payments").filter(key="another:charge").exists()
    assert (till.row.intent, till.row.status, till.moved) == ("charge", "captured", [("capture", "25.00")])
    assert not Refund.objects.using("payments").exists()
