"""An undone payment nets zero, whatever state it was met in and however often it is undone; money goes back once."""

from __future__ import annotations

import pytest

from contracts.payments import PaymentClosed, PaymentDeclined
from runtime.calls import call
from tests.payments.till import Till, pounds
from tests.together import shift_clock

pytestmark = pytest.mark.django_db


def test_a_void_before_any_charge_leaves_a_mark_and_the_late_charge_takes_nothing(till):
    assert till.void().status == "voided"

    for _ in range(2):
        with pytest.raises(PaymentClosed):
            till.charge()

    assert (till.row.status, till.row.intent) == ("voided", "void")
    assert (till.moved, till.sandbox(), till.told) == ([], (None, []), [])
    assert till.void().status == "voided"


def test_a_captured_payment_is_given_back_in_full_and_once(till):
    till.charge()

    first, again = till.void(), till.void()

    assert (first.status, again.status) == ("refunded", "refunded")
    assert first.refunded == again.refunded == pounds("25.00")
    assert till.moved == [("capture", "25.00"), ("refund", "25.00")]
    assert till.ledger[2:] == [("customers", "25.00", "0.00"), ("provider", "0.00", "25.00")]
    assert till.told == ["PaymentCaptured", "PaymentRefunded"]
    assert till.sandbox() == ("captured", ["25.00"])


def test_a_payment_that_settles_later_is_cancelled_and_never_captured(till):
    till.charge("pm_card_async")

    assert till.void().status == "voided"
    shift_clock("payments", "3 seconds")
    assert till.void().status == "voided"
    with pytest.raises(PaymentClosed):
        till.inquire()

    assert (till.moved, till.sandbox()) == ([], ("cancelled", []))
    assert till.told == ["PaymentVoided"]


def test_a_payment_that_settled_before_its_cancellation_is_given_back(till):
    till.charge("pm_card_async")
    shift_clock("payments", "3 seconds")

    assert till.void().status == "refunded"

    assert till.moved == [("capture", "25.00"), ("refund", "25.00")]
    assert till.sandbox() == ("captured", ["25.00"])


def test_an_unknown_payment_that_was_captured_after_all_is_given_back_once(till):
    with call(seconds=0.05):
        till.charge("pm_card_timeout")

    assert till.void().status == "refunded"
    assert till.void().status == "refunded"

    assert till.moved == [("capture", "25.00"), ("refund", "25.00")]
    assert till.sandbox() == ("captured", ["25.00"])


def test_a_failed_payment_has_nothing_to_undo(till):
    with pytest.raises(PaymentDeclined):
        till.charge("pm_card_declined")

    assert till.void().status == "failed"

    assert (till.moved, till.told) == ([], ["PaymentFailed"])


def test_after_the_void_the_payment_is_closed_for_a_charge_and_for_an_inquiry(till):
    till.charge()
    till.void()

    for ask in (till.charge, till.inquire):
        with pytest.raises(PaymentClosed):
            ask()
    assert till.moved == [("capture", "25.00"), ("refund", "25.00")]


# --- Late, silent and wrong providers -------------------------------------------------------------------------------


@pytest.mark.parametrize("silence", ["before", "after"])
def test_while_the_provider_does_not_answer_the_cancellation_it_is_open_and_asked_again(theirs, provider, silence):
    provider.settles = "pending"
    theirs.charge()
    provider.misbehave["cancel"] = [silence]

    assert theirs.void().status == "pending"
    assert theirs.void().status == "voided"

    assert (theirs.moved, provider.net()) == ([], 0)


def test_a_capture_that_comes_late_on_a_voided_payment_is_given_back_once(theirs, provider):
    provider.settles = "pending"
    theirs.charge()
    provider.misbehave["cancel"] = ["before"]
    theirs.void()
    provider.charges[theirs.key].state = "captured"

    headers = {"Signature": "good", "Event": "e1"}
    for _ in range(2):
        theirs.service.webhook(provider="testers", body=theirs.key.encode(), headers=headers)
    assert theirs.void().status == "refunded"

    assert theirs.moved == [("capture", "25.00"), ("refund", "25.00")]
    assert (provider.net(), provider.times("refund")) == (0, 1)


@pytest.mark.parametrize("silence", ["before", "after"])
def test_a_refund_that_the_provider_does_not_answer_stays_owed_and_is_done_once(theirs, provider, silence):
    theirs.charge()
    provider.misbehave["refund"] = [silence, silence]

    assert [theirs.void().status for _ in range(3)] == ["captured", "captured", "refunded"]

    assert theirs.moved == [("capture", "25.00"), ("refund", "25.00")]
    assert theirs.told == ["PaymentCaptured", "PaymentRefunded"]
    assert (provider.net(), list(provider.charges[theirs.key].refunds)) == (0, [f"{theirs.key}:refund"])


def test_an_owed_refund_is_asked_for_again_by_itself_once_it_is_due(theirs, provider):
    theirs.charge()
    provider.misbehave["refund"] = ["after"]
    theirs.void()

    theirs.service.retry_refunds()
    assert theirs.row.status == "captured"
    shift_clock("payments", "3 seconds")
    theirs.service.retry_refunds()
    theirs.service.retry_refunds()

    assert (theirs.row.status, provider.times("refund")) == ("refunded", 2)
    assert theirs.moved == [("capture", "25.00"), ("refund", "25.00")]


def test_a_refund_that_fails_in_an_unforeseen_way_does_not_hold_back_the_others(theirs, provider, caplog):
    others = [Till(theirs.service) for _ in range(3)]
    for one in (theirs, *others):
        one.charge()
        provider.misbehave["refund"] = ["before"]
        one.void()
    shift_clock("payments", "11 seconds")
    provider.misbehave["refund"] = [AssertionError("the provider says nonsense")]

    theirs.service.retry_refunds()

    assert sorted(one.row.status for one in (theirs, *others)) == ["captured", *["refunded"] * 3]
    assert "the provider says nonsense" in caplog.text
    shift_clock("payments", "22 seconds")
    theirs.service.retry_refunds()
    assert provider.net() == 0
