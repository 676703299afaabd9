"""The same payment in several hands at once, and in hands that die: one capture, one refund, net zero when undone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from contracts.payments import PaymentClosed
from tests.payments.till import Till
from tests.together import kinds, together

ROOT = Path(__file__).resolve().parents[2]

ASK_ELSEWHERE = """
import sys
from decimal import Decimal
from uuid import UUID, uuid4
import django
django.setup()
from apps.payments.service import SERVICE
from contracts._base import Money
what, order_id = sys.argv[1], UUID(sys.argv[2])
key = f"{order_id}:charge"
if what == "charge":
    amount = Money(Decimal("25.00"), "GBP")
    SERVICE.charge(key=key, order_id=order_id, user_id=uuid4(), amount=amount, method="pm_card_visa")
else:
    SERVICE.void(key=key, order_id=order_id)
"""


def die_while(what: str, till: Till, at: str) -> None:
    """Ask in a process of its own that is killed at this point."""
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "MITOSIS_ENV": "test", "CRASH_AT": at}
    command = [sys.executable, "-c", ASK_ELSEWHERE, what, str(till.order_id)]
    died = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL, died.stderr


def test_ten_charges_under_one_key_at_once_take_the_money_once(committed, till):
    answers = together(*[partial(till.charge, "pm_card_visa")] * 10)

    assert {answer.status for answer in answers} == {"captured"}
    assert len({answer.id for answer in answers}) == 1
    assert till.moved == [("capture", "25.00")]
    assert till.told == ["PaymentCaptured"]
    assert till.sandbox() == ("captured", [])


def test_ten_inquiries_at_once_after_a_silence_book_one_capture(committed, theirs, provider):
    provider.misbehave["charge"] = ["after"]
    theirs.charge()

    answers = together(*[theirs.inquire] * 10)

    assert {answer.status for answer in answers} == {"captured"}
    assert theirs.moved == [("capture", "25.00")]
    assert theirs.told == ["PaymentCaptured"]


@pytest.mark.parametrize("turn", range(3))
def test_five_voids_of_a_captured_payment_at_once_give_back_once(committed, till, turn):
    till.charge()

    answers = together(*[till.void] * 5)

    assert [answer.status for answer in answers] == ["refunded"] * 5
    assert till.moved == [("capture", "25.00"), ("refund", "25.00")]
    assert till.told == ["PaymentCaptured", "PaymentRefunded"]
    assert till.sandbox() == ("captured", ["25.00"])


def test_charge_and_void_at_once_net_zero_whoever_was_first(committed, till):
    tills = [Till(till.service) for _ in range(8)]

    answers = together(*[partial(t.charge, "pm_card_visa") for t in tills], *[t.void for t in tills])

    assert set(kinds(answers)) <= {"Payment", "PaymentClosed"}
    for one in tills:
        one.void()
        state, refunds = one.sandbox()
        assert (state, refunds) in [("captured", ["25.00"]), ("cancelled", []), (None, [])]
        assert one.row.status == ("refunded" if state == "captured" else "voided")
        assert Counter(kind for kind, _ in one.moved) == ({"capture": 1, "refund": 1} if state == "captured" else {})
        with pytest.raises(PaymentClosed):
            one.charge()


@pytest.mark.parametrize("at", ["pay.before_call", "pay.after_call_before_record"])
def test_a_crash_around_the_question_to_the_provider_is_found_out_about_and_the_money_taken_once(committed, till, at):
    die_while("charge", till, at)

    assert till.row.status == "processing"
    assert till.sandbox() == (None if at == "pay.before_call" else "captured", [])
    assert (till.moved, till.told, till.asked) == ([], [], [("charge", None)])

    assert till.inquire().status == "captured"
    assert till.moved == [("capture", "25.00")]
    assert till.told == ["PaymentCaptured"]
    assert till.sandbox() == ("captured", [])


def test_a_crash_between_the_providers_refund_and_its_record_gives_back_once(committed, till):
    till.charge()
    die_while("void", till, "comp.after_before_record")
    assert till.sandbox() == ("captured", ["25.00"])
    assert till.moved == [("capture", "25.00")]

    assert till.void().status == "refunded"

    assert till.moved == [("capture", "25.00"), ("refund", "25.00")]
    assert till.sandbox() == ("captured", ["25.00"])


def test_a_crash_on_the_way_to_a_void_is_gone_on_from_and_the_late_charge_is_refused(committed, till):
    die_while("charge", till, "pay.before_call")
    die_while("void", till, "pay.after_call_before_record")

    with pytest.raises(PaymentClosed):
        till.charge()

    assert (till.row.status, till.moved, till.sandbox()) == ("voided", [], ("cancelled", []))
