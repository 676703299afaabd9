"""A provider that is silent, late or wrong: what it did is found out, and nothing is booked on a guess."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from apps.payments.books import WrongAmount, record_answer
from apps.payments.gateways import Answer
from contracts._base import Money
from contracts.payments import PaymentDeclined
from runtime.calls import call
from tests.payments.till import Till, pounds
from tests.together import shift_clock

pytestmark = pytest.mark.django_db


def saying(answer: Answer, **changes) -> Answer:
    values = {name: getattr(answer, name) for name in ("state", "reference", "amount", "refunded", "reason")}
    return Answer(**{**values, **changes})


@pytest.mark.parametrize(
    ("silence", "questions"),
    [("after", ["charge", "look_up"]), ("before", ["charge", "look_up", "charge"])],
    ids=["captured in silence", "never heard of it"],
)
def test_after_a_silence_the_inquiry_finds_or_makes_the_one_capture(theirs, provider, silence, questions):
    provider.misbehave["charge"] = [silence]
    assert theirs.charge().status == "unknown"
    assert (theirs.moved, theirs.told) == ([], [])

    assert theirs.inquire().status == "captured"

    assert [question for question, _ in provider.asked] == questions
    assert {key for _, key in provider.asked} == {theirs.key}
    assert theirs.moved == [("capture", "25.00")]
    assert provider.net() == Decimal("25.00")


def test_a_provider_that_stays_silent_leaves_the_payment_unknown_and_is_asked_each_time(theirs, provider):
    provider.misbehave["charge"] = ["after"]
    provider.misbehave["look_up"] = ["before", "before"]
    theirs.charge()

    assert [theirs.inquire().status for _ in range(3)] == ["unknown", "unknown", "captured"]
    assert [outcome for _, outcome in theirs.asked] == ["silent", "silent", "silent", "captured"]


@pytest.mark.parametrize(
    "amount", [Money(Decimal("24.99"), "GBP"), Money(Decimal("2500"), "GBP"), Money(Decimal("25.00"), "EUR")]
)
def test_an_answer_of_another_amount_or_currency_is_never_booked(theirs, provider, amount):
    provider.misbehave["charge"] = [lambda answer: saying(answer, amount=amount)]
    provider.misbehave["look_up"] = [lambda answer: saying(answer, amount=amount)]

    for ask in (theirs.charge, theirs.inquire):
        with pytest.raises(WrongAmount, match=rf"was to take 25.00 GBP, the provider says {amount}"):
            ask()

    assert (theirs.row.status, theirs.row.reason) == ("unknown", "wrong_amount")
    assert [outcome for _, outcome in theirs.asked] == ["wrong_amount", "wrong_amount"]
    assert (theirs.moved, theirs.ledger, theirs.told) == ([], [], [])


@pytest.mark.parametrize(
    "amount", [Money(Decimal("24.99"), "GBP"), Money(Decimal("25.01"), "GBP"), Money(Decimal("25.00"), "EUR")]
)
def test_a_refund_of_another_amount_or_currency_is_never_booked_and_not_asked_for_again_by_itself(
    theirs, provider, amount
):
    theirs.charge()
    provider.misbehave["refund"] = [lambda answer: replace(answer, amount=amount)]

    with pytest.raises(WrongAmount, match=rf"was to give back 25.00 GBP, the provider says {amount}"):
        theirs.void()
    for seconds in (11, 22, 3_600):
        shift_clock("payments", f"{seconds} seconds")
        theirs.service.retry_refunds()

    assert (theirs.row.status, theirs.moved, theirs.told) == ("captured", [("capture", "25.00")], ["PaymentCaptured"])
    assert provider.times("refund") == 1
    assert theirs.asked[-1] == ("refund", "wrong_amount")


def test_an_operator_who_is_given_another_amount_back_is_told_that_it_is_owed(theirs, provider):
    theirs.charge()
    provider.misbehave["refund"] = [lambda answer: replace(answer, amount=pounds("4.99"))]

    refund = theirs.service.refund_payment(payment_id=theirs.row.id, key="k", amount=pounds("5.00"), reason="x")

    assert (refund.done_at, refund.due_at, theirs.moved) == (None, None, [("capture", "25.00")])


def test_what_was_begun_with_another_provider_waits_for_it(theirs, provider, till, settings):
    settings.PAYMENT_PROVIDER = "sandbox"
    till.charge("pm_card_visa")
    open_one = Till(till.service)
    open_one.charge("pm_card_async")
    theirs.key, theirs.order_id = till.key, till.order_id
    settings.PAYMENT_PROVIDER = "testers"

    assert theirs.void().status == "captured"
    assert theirs.service.void(key=open_one.key, order_id=open_one.order_id).status == "pending"
    rows = {row.order_id: row for row in theirs.service.audit(after=None, limit=9).items}

    assert provider.asked == []
    assert rows[till.order_id].provider_captured is None
    assert rows[till.order_id].movements == ()
    settings.PAYMENT_PROVIDER = "sandbox"
    assert (till.void().status, open_one.void().status) == ("refunded", "voided")
    assert (till.sandbox(), open_one.sandbox()) == (("captured", ["25.00"]), ("cancelled", []))


def test_a_refusal_for_a_reason_of_the_providers_own_is_a_decline(theirs, provider):
    provider.misbehave["charge"] = [lambda answer: saying(answer, state="declined", reason="do_not_honour")]

    with pytest.raises(PaymentDeclined):
        theirs.charge()


def test_what_the_provider_says_of_a_payment_that_ended_changes_nothing(theirs):
    theirs.charge()
    late = Answer(state="declined", reference="x", amount=pounds("25.00"), refunded=pounds("0.00"))

    record_answer(theirs.row, "inquire", late)
    record_answer(theirs.row, "inquire", saying(late, state="captured"))
    record_answer(theirs.row, "inquire", saying(late, state="cancelled"))

    assert theirs.row.status == "captured"
    assert (theirs.moved, theirs.told) == ([("capture", "25.00")], ["PaymentCaptured"])


def test_the_provider_is_not_waited_for_any_longer_than_the_caller_has(theirs, provider, settings):
    settings.PROVIDER_TIMEOUT = 10.0
    with call(seconds=2.0):
        theirs.charge()
    Till(theirs.service).charge()

    assert provider.timeouts[0] <= 2.0
    assert provider.timeouts[1] == 10.0


def test_an_unforeseen_error_of_the_provider_leaves_a_payment_that_can_be_inquired_about(theirs, provider):
    provider.misbehave["charge"] = [ZeroDivisionError("a bug of the gateway")]
    with pytest.raises(ZeroDivisionError):
        theirs.charge()
    assert (theirs.row.status, theirs.asked) == ("processing", [("charge", None)])

    assert theirs.inquire().status == "captured"
    assert theirs.moved == [("capture", "25.00")]


def test_while_the_provider_may_have_been_asked_the_contract_says_unknown(theirs, provider):
    provider.misbehave["charge"] = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        theirs.charge()
    provider.misbehave["look_up"] = ["before"]

    assert theirs.inquire().status == "unknown"
