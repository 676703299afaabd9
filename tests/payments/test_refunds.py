"""Refunds in part: once for each key, never more than is left, counted as soon as they are promised."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest

from contracts.payments import PaymentUnknown, RefundTooLarge
from tests.payments.till import Till, pounds
from tests.together import kinds, together


def give_back(till: Till, amount: str, key: str = "k"):
    return till.service.refund(key=key, charge_key=till.key, amount=pounds(amount), reason="broken")


@pytest.mark.django_db
def test_part_of_a_payment_is_given_back_once_for_its_key(till):
    till.charge()

    first, again = give_back(till, "10.00"), give_back(till, "10.00")

    assert first == again
    assert (first.amount, first.done, first.payment_id) == (pounds("10.00"), True, till.row.id)
    assert till.moved == [("capture", "25.00"), ("refund", "10.00")]
    assert (till.row.status, till.sandbox()) == ("captured", ("captured", ["10.00"]))
    assert till.told == ["PaymentCaptured", "PaymentRefunded"]


@pytest.mark.django_db
def test_all_of_it_in_parts_ends_refunded_and_not_a_penny_more_is_given(till):
    till.charge()
    give_back(till, "10.00", "k"), give_back(till, "15.00", "l")
    assert till.row.status == "refunded"

    with pytest.raises(RefundTooLarge) as refused:
        give_back(till, "0.01", "m")

    assert refused.value.data == {"left": pounds("0.00")}
    assert till.sandbox() == ("captured", ["10.00", "15.00"])


@pytest.mark.django_db
def test_more_than_is_left_is_refused_with_what_is_left_and_nothing_moves(till):
    till.charge()
    give_back(till, "10.00", "k")

    with pytest.raises(RefundTooLarge) as refused:
        give_back(till, "15.01", "l")

    assert refused.value.data == {"left": pounds("15.00")}
    assert till.moved == [("capture", "25.00"), ("refund", "10.00")]


@pytest.mark.django_db
def test_what_was_never_captured_has_nothing_to_give_back(till):
    till.charge("pm_card_async")

    with pytest.raises(RefundTooLarge):
        give_back(till, "1.00")
    with pytest.raises(PaymentUnknown):
        give_back(Till(till.service), "1.00")


@pytest.mark.django_db
def test_a_promised_refund_counts_before_the_provider_has_confirmed_it(theirs, provider):
    theirs.charge()
    provider.misbehave["refund"] = ["before"]
    promised = give_back(theirs, "20.00", "k")
    assert (promised.done, theirs.moved) == (False, [("capture", "25.00")])

    with pytest.raises(RefundTooLarge) as refused:
        give_back(theirs, "5.01", "l")
    assert refused.value.data == {"left": pounds("5.00")}

    assert give_back(theirs, "20.00", "k").done is True
    assert theirs.moved == [("capture", "25.00"), ("refund", "20.00")]


@pytest.mark.django_db
def test_a_void_after_a_partial_refund_gives_back_the_rest_and_no_more(till):
    till.charge()
    give_back(till, "10.00")

    assert till.void().status == "refunded"

    assert till.moved == [("capture", "25.00"), ("refund", "10.00"), ("refund", "15.00")]
    assert till.sandbox() == ("captured", ["10.00", "15.00"])


@pytest.mark.django_db
def test_an_operators_key_is_his_own_for_each_payment(till):
    other = Till(till.service)
    for one in (till, other):
        one.charge()
        refund = partial(one.service.refund_payment, payment_id=one.row.id, key="k", amount=pounds("5.00"), reason="x")
        assert refund().id == refund().id

    assert till.sandbox() == other.sandbox() == ("captured", ["5.00"])
    with pytest.raises(PaymentUnknown):
        till.service.refund_payment(payment_id=uuid4(), key="k", amount=pounds("5.00"), reason="x")


def test_one_refund_asked_for_ten_times_at_once_is_given_once(committed, till):
    till.charge()

    answers = together(*[partial(give_back, till, "10.00")] * 10)

    assert [answer.done for answer in answers] == [True] * 10
    assert till.moved == [("capture", "25.00"), ("refund", "10.00")]
    assert till.sandbox() == ("captured", ["10.00"])
    assert till.told.count("PaymentRefunded") == 1


def test_ten_different_refunds_at_once_never_give_back_more_than_was_taken(committed, till):
    till.charge()

    answers = together(*[partial(give_back, till, "10.00", f"k{number}") for number in range(10)])

    assert kinds(answers) == ["Refund"] * 2 + ["RefundTooLarge"] * 8
    assert till.sandbox() == ("captured", ["10.00", "10.00"])
    assert till.row.status == "captured"
