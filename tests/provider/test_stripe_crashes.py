"""The same payment asked about by many at once, and by processes that die: ours, or the provider's own."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from apps.payments.books import WrongAmount
from apps.payments.models import WebhookReceipt
from tests.provider.conftest import pay_with
from tests.provider.counter import Counter
from tests.provider.test_stripe_webhooks import announce, event
from tests.together import together, wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own(settings, own_provider):
    """Payments with a provider that can be killed."""
    return pay_with(settings, own_provider)


def test_five_charges_at_once_under_one_key_are_one_at_the_provider(committed, counter):
    answers = together(*[partial(counter.charge, "pm_card_visa")] * 5)

    assert {answer.status for answer in answers} <= {"captured", "unknown", "pending"}
    wait_until(lambda: counter.inquire().status == "captured")
    assert (counter.their_captures, counter.provider.journal().intents[counter.key]) == (1, 1)
    assert (counter.moved, counter.told) == ([("capture", "25.00")], ["PaymentCaptured"])


def test_charge_and_void_at_once_net_zero_at_the_provider(committed, service, provider):
    counters = [Counter(service, provider) for _ in range(6)]

    together(*[one.charge for one in counters], *[one.void for one in counters])

    for one in counters:
        assert one.void_until_done().status in {"voided", "refunded"}
        assert (one.net, one.their_captures) == (0, one.their_refunds)


@pytest.mark.django_db
def test_a_provider_that_was_killed_knows_what_it_had_done_and_what_was_asked_of_it(own, own_provider):
    counter = Counter(own, own_provider)
    counter.charge("pm_fault_capture_then_timeout")
    assert counter.row.status == "unknown"
    own_provider.stop()
    assert counter.inquire().status == "unknown"
    own_provider.start()

    assert counter.inquire().status == "captured"
    assert counter.void_until_done().status == "refunded"

    assert (counter.their_captures, counter.their_refunds, counter.net) == (1, 1, 0)
    counter.require_agreement("cancelled")


@pytest.mark.django_db
def test_a_payment_that_begins_while_the_provider_is_away_is_unknown_and_taken_when_it_is_back(own, own_provider):
    counter = Counter(own, own_provider)
    own_provider.stop()
    assert (counter.charge().status, counter.row.reference) == ("unknown", "")
    own_provider.start()

    assert counter.inquire().status == "captured"

    assert (counter.their_captures, counter.moved) == (1, [("capture", "25.00")])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "said", [{"metadata": {"key": "another"}}, {"id": "pi_1/../../refunds"}, {"amount": "2500"}, {"currency": None}]
)
def test_a_preparation_that_is_answered_with_something_else_is_no_preparation(own, own_provider, said):
    counter = Counter(own, own_provider)
    own_provider.confuse(**said)

    assert (counter.charge().status, counter.row.reference, counter.their_captures) == ("unknown", "", 0)


@pytest.mark.django_db
@pytest.mark.parametrize("said", [{"amount": 2400}, {"currency": "eur"}])
def test_a_preparation_of_another_amount_is_marked_for_a_person_and_never_confirmed(own, own_provider, said):
    counter = Counter(own, own_provider)
    own_provider.confuse(**said)

    for ask in (counter.charge, counter.inquire):
        with pytest.raises(WrongAmount, match=r"was to take 25\.00 GBP"):
            ask()

    assert (counter.row.status, counter.row.reason, counter.row.reference) == ("unknown", "wrong_amount", "")
    assert counter.their_captures == 0


def test_ten_copies_of_one_event_at_once_capture_once(committed, counter):
    counter.charge("pm_async")
    wait_until(lambda: counter.their_captures == 1)
    body = event(counter)

    assert together(*[partial(announce, counter, body)] * 10) == [None] * 10

    assert (counter.moved, counter.told) == ([("capture", "25.00")], ["PaymentCaptured"])
    assert WebhookReceipt.objects.using("payments").count() == 1


CHARGE_ELSEWHERE = """
import sys
from decimal import Decimal
from uuid import UUID, uuid4
import django
django.setup()
from apps.payments.service import SERVICE
from contracts._base import Money
order_id = UUID(sys.argv[1])
if sys.argv[2] == "loaded":
    SERVICE.provider_entries(after=None, limit=1)
    print("sandbox", "apps.payments.sandbox" in sys.modules, SERVICE.deliver_sandbox_webhooks())
    import os
    kept = SERVICE._provider.gateway._client._requestor._get_http_client()._connections
    mine, child = id(kept._manager), os.fork()
    if child == 0:
        os._exit(0 if id(kept._manager) != mine and kept._owned[0] == os.getpid() else 1)
    print("shared", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), id(kept._manager) == mine)
else:
    amount = Money(Decimal("25.00"), "GBP")
    SERVICE.charge(
        key=f"{order_id}:charge", order_id=order_id, user_id=uuid4(), amount=amount, method="pm_card_visa"
    )
"""


def elsewhere(counter: Counter, what: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, with Stripe configured by the environment."""
    stripe = {
        "PAYMENT_PROVIDER": "stripe",
        "STRIPE_API_KEY": "sk_test_thetesters",
        "STRIPE_WEBHOOK_SECRET": "whsec_the_testers_own_secret",
        "STRIPE_API_BASE": counter.provider.url,
    }
    words = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "MITOSIS_ENV": "test", **stripe, **environ}
    command = [sys.executable, "-c", CHARGE_ELSEWHERE, str(counter.order_id), what]
    return subprocess.run(command, cwd=ROOT, env=words, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("at", ["pay.after_prepare_before_record", "pay.before_call", "pay.after_call_before_record"])
def test_a_crash_of_ours_between_the_two_questions_takes_the_money_once(committed, counter, at):
    died = elsewhere(counter, "charge", CRASH_AT=at)
    assert died.returncode == -9, died.stderr
    assert (counter.row.status, counter.moved) == ("processing", [])

    assert counter.charge_until_known("pm_card_visa").status == "captured"

    assert (counter.their_captures, counter.provider.journal().intents[counter.key]) == (1, 1)
    assert counter.moved == [("capture", "25.00")]


def test_with_stripe_the_sandbox_is_not_even_loaded_and_a_forked_process_has_connections_of_its_own(committed, counter):
    done = elsewhere(counter, "loaded")

    assert done.stdout.splitlines()[-2:] == ["sandbox False False", "shared 0 True"], done.stderr
