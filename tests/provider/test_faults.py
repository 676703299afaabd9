"""Over the real adapter and a provider that misbehaves: our books are its journal, whatever became of an answer."""

from __future__ import annotations

import pytest

from apps.payments.books import WrongAmount
from contracts.payments import ChargeFailed, InsufficientFunds, PaymentClosed, PaymentDeclined
from tests.payments.till import pounds
from tests.together import shift_clock, wait_until

CAPTURED_AFTER_ALL = [
    "pm_card_visa",
    "pm_async",
    "pm_fault_capture_then_timeout",
    "pm_fault_capture_then_500",
    "pm_fault_reset_mid_body",
    "pm_fault_unknown_10s",
    "pm_fault_webhook_first",
    "pm_fault_slow",
    "pm_fault_nonsense",
    "pm_fault_html",
    "pm_fault_redirect",
    "pm_fault_flood",
]


@pytest.mark.parametrize("method", CAPTURED_AFTER_ALL)
def test_however_the_answer_is_lost_the_money_is_taken_once_and_booked_once(heard, method):
    assert heard.charge_until_known(method).status == "captured"

    assert (heard.their_captures, heard.moved) == (1, [("capture", "25.00")])
    assert heard.told == ["PaymentCaptured"]
    assert heard.provider.journal().intents[heard.key] == 1
    heard.require_agreement("confirmed")

    assert heard.void_until_done().status == "refunded"
    assert (heard.net, heard.their_refunds) == (0, 1)
    heard.require_agreement("cancelled")


@pytest.mark.parametrize("method", CAPTURED_AFTER_ALL)
def test_however_the_answer_is_lost_a_payment_that_is_undone_nets_zero(heard, method):
    heard.charge(method)

    assert heard.void_until_done().status in {"refunded", "voided"}

    wait_until(lambda: heard.net == 0)
    assert heard.their_captures == heard.their_refunds <= 1
    heard.require_agreement("cancelled")
    with pytest.raises(PaymentClosed):
        heard.charge(method)


@pytest.mark.parametrize("method", ["pm_card_visa", "pm_fault_capture_then_timeout", "pm_fault_capture_then_500"])
def test_what_is_held_is_captured_once_however_the_answer_is_lost(heard, method):
    assert heard.charge_until_known(method, capture=False).status == "authorized"
    assert (heard.net, heard.told) == (0, ["PaymentAuthorized"])

    wait_until(lambda: heard.capture().status == "captured")

    assert heard.capture().status == "captured"
    assert (heard.their_captures, heard.moved) == (1, [("capture", "25.00")])
    assert heard.told == ["PaymentAuthorized", "PaymentCaptured"]
    heard.require_agreement("confirmed")


def test_what_is_held_and_undone_is_let_go(heard):
    heard.charge(capture=False)

    assert heard.void().status == "voided"

    with pytest.raises(PaymentClosed):
        heard.capture()
    assert (heard.their_captures, heard.moved) == (0, [])
    heard.require_agreement("cancelled")


def test_an_authorisation_that_the_provider_let_lapse_is_voided_when_it_says_so(heard):
    heard.charge("pm_fault_authorization_lapses", capture=False)

    wait_until(lambda: heard.row.status == "voided")

    with pytest.raises(PaymentClosed):
        heard.capture()
    assert (heard.told, heard.their_captures) == (["PaymentAuthorized", "PaymentVoided"], 0)


@pytest.mark.django_db
def test_an_authorisation_that_the_provider_let_lapse_is_voided_when_it_is_to_be_captured(counter):
    counter.charge("pm_fault_authorization_lapses", capture=False)
    wait_until(lambda: "canceled" in counter.provider.path.read_text().splitlines()[-1])
    assert counter.row.status == "authorized"

    for _ in range(2):
        with pytest.raises(PaymentClosed):
            counter.capture()

    assert (counter.row.status, counter.their_captures) == ("voided", 0)
    assert counter.told == ["PaymentAuthorized", "PaymentVoided"]


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("pm_card_chargeDeclined", PaymentDeclined),
        ("pm_card_chargeDeclinedInsufficientFunds", InsufficientFunds),
        ("pm_nobody_has_this", PaymentDeclined),
        ("'; DROP TABLE payments; --", PaymentDeclined),
        ("pm_async_fail", ChargeFailed),
    ],
)
def test_a_refusal_is_told_each_time_and_takes_nothing(heard, method, error):
    with pytest.raises(error):
        heard.charge_until_known(method)
    with pytest.raises(error):
        heard.charge(method)

    assert (heard.row.status, heard.row.reason) == ("failed", error.code)
    assert (heard.their_captures, heard.moved, heard.told) == (0, [], ["PaymentFailed"])
    heard.require_agreement("cancelled")


# --- Late -----------------------------------------------------------------------------------------------------------


def test_money_that_comes_after_the_cancellation_was_confirmed_is_given_back_once(heard):
    assert heard.charge("pm_fault_late_success").status == "pending"
    assert heard.void().status == "voided"

    wait_until(lambda: heard.row.status == "refunded")

    wait_until(lambda: heard.their_captures == heard.their_refunds == 1)
    assert (heard.net, heard.told) == (0, ["PaymentVoided", "PaymentCaptured", "PaymentRefunded"])
    heard.require_agreement("cancelled")


@pytest.mark.django_db
def test_money_that_comes_late_is_found_without_any_webhook(counter):
    counter.charge("pm_fault_late_success")
    counter.void()
    wait_until(lambda: counter.their_captures == 1)
    assert counter.row.status == "voided"
    shift_clock("payments", "6 seconds")

    counter.service.look_again()

    assert (counter.row.status, counter.net, counter.their_refunds) == ("refunded", 0, 1)
    counter.require_agreement("cancelled")


def test_a_payment_that_cannot_be_cancelled_is_given_back_when_it_succeeds(heard):
    assert heard.charge("pm_fault_processing_uncancellable").status == "pending"
    assert heard.void().status == "pending"

    assert heard.void_until_done().status == "refunded"

    assert (heard.their_captures, heard.their_refunds, heard.net) == (1, 1, 0)
    heard.require_agreement("cancelled")


# --- Refunds --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_refund_that_fails_twenty_times_is_through_within_a_minute_and_given_once(counter):
    counter.charge("pm_fault_refund_fails_20")
    assert counter.void().status == "captured"

    seconds = 0
    while counter.row.status != "refunded":
        seconds += 1
        assert seconds < 60
        shift_clock("payments", f"{seconds} seconds")
        counter.service.retry_refunds()

    assert seconds > 30
    assert (counter.their_refunds, counter.net) == (1, 0)
    assert counter.told == ["PaymentCaptured", "PaymentRefunded"]
    keys = [one["key"] for one in counter.provider.asked(counter.key) if one["path"] == "/v1/refunds" and one["key"]]
    assert len(set(keys)) == 21
    assert sorted(set(keys), key=lambda key: int(key.rpartition(":")[2])) == list(dict.fromkeys(keys))
    counter.require_agreement("cancelled")


@pytest.mark.django_db
def test_a_refund_without_an_answer_is_looked_for_and_not_made_again(counter):
    counter.charge("pm_fault_refund_then_timeout")
    assert counter.void().status == "captured"
    assert counter.their_refunds == 1

    shift_clock("payments", "3 seconds")
    counter.service.retry_refunds()

    assert (counter.row.status, counter.their_refunds, counter.net) == ("refunded", 1, 0)
    assert counter.questions().count("POST refunds") == 1
    counter.require_agreement("cancelled")


@pytest.mark.django_db
def test_part_of_a_payment_is_given_back_once_for_its_key(counter):
    counter.charge()
    for _ in range(2):
        give = counter.service.refund(
            key=f"{counter.order_id}:part", charge_key=counter.key, amount=pounds("10.00"), reason="broken"
        )
        assert give.done

    assert (counter.their_refunds, counter.net) == (1, 15)
    assert counter.moved == [("capture", "25.00"), ("refund", "10.00")]


# --- Distrust -------------------------------------------------------------------------------------------------------


def test_another_amount_than_was_asked_for_is_marked_for_a_person_and_never_booked(heard, ear):
    for ask in (lambda: heard.charge("pm_fault_wrong_amount"), heard.inquire, heard.void):
        with pytest.raises(WrongAmount, match=r"was to take 25.00 GBP, the provider says 25.01 GBP"):
            ask()
    wait_until(lambda: any(str(heard.order_id) in key for key, _, _ in ear.heard))

    assert (heard.row.status, heard.row.reason) == ("unknown", "wrong_amount")
    assert (heard.moved, heard.told) == ([], [])
    assert {status for key, _, status in ear.heard if str(heard.order_id) in key} == {204}
    broken = {finding.name: len(finding.broken) for finding in heard.findings("cancelled")}
    assert broken == {"V1": 0, "V3": 1, "V8": 2}


@pytest.mark.django_db
def test_nobody_is_followed_elsewhere_with_our_key(counter, provider):
    counter.charge_until_known("pm_fault_redirect")

    assert provider.asked("canary") == []


@pytest.mark.django_db
def test_an_answer_without_end_is_not_read_to_its_end(counter):
    counter.charge("pm_fault_flood")

    def floods():
        return [one["words"]["sent"] for one in counter.provider.asked(counter.row.reference) if one["verb"] == ""]

    wait_until(floods)
    assert floods()[0] < 16 * 1024 * 1024


@pytest.mark.django_db
def test_what_the_provider_is_told_is_a_key_and_an_order_and_nobodys_name(counter):
    counter.charge()
    counter.void()

    told = {name for one in counter.provider.asked(counter.key) for name in one["words"]}
    assert {name for name in told if name.startswith("metadata")} == {"metadata[key]", "metadata[order_id]"}
    assert str(counter.user_id) not in str(counter.provider.asked())
    assert "platform" not in str(counter.provider.asked(counter.key)[0]["headers"]).lower().replace("lang", "")
