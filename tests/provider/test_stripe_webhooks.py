"""What Stripe announces: taken with its signature and in time only, once for each event, never believed."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client

from apps.payments import service as module
from apps.payments.gateways import BadWebhook
from apps.payments.models import WebhookReceipt
from tests.provider.counter import Counter
from tests.provider.fixture import SECRET
from tests.provider.webhooks import sign
from tests.together import wait_until

pytestmark = pytest.mark.django_db

NEXT_SECRET = "whsec_the_secret_that_comes_after"


def event(counter: Counter, *, id: str = "evt_1", kind: str = "payment_intent.succeeded", **about: Any) -> bytes:
    intent = {"id": counter.row.reference, "object": "payment_intent", "metadata": {"key": counter.key}, **about}
    return json.dumps({"id": id, "object": "event", "type": kind, "data": {"object": intent}}).encode()


def announce(counter: Counter, body: bytes, *, secret: str = SECRET, at: float = 0.0, signature: str = "") -> None:
    signature = signature or sign(body, secret, at or time.time())
    counter.service.webhook(provider="stripe", body=body, headers={"Stripe-Signature": signature})


def taken_in() -> int:
    return WebhookReceipt.objects.using("payments").count()


def look_ups(counter: Counter) -> int:
    return counter.questions().count(f"GET {counter.row.reference}")


@pytest.fixture
def settled(counter):
    """A payment that has settled at the provider, and nobody has told us."""
    counter.charge("pm_async")
    wait_until(lambda: counter.their_captures == 1)
    assert counter.row.status == "pending"
    return counter


def test_a_hundred_copies_of_one_event_capture_once(settled):
    body = event(settled)
    for _ in range(100):
        announce(settled, body)

    assert (settled.moved, settled.told) == ([("capture", "25.00")], ["PaymentCaptured"])
    assert (taken_in(), look_ups(settled)) == (1, 1)


def test_a_hundred_copies_of_one_event_are_one_question(counter):
    counter.charge(capture=False)
    body = event(counter, kind="payment_intent.amount_capturable_updated")
    for _ in range(100):
        announce(counter, body)

    assert (taken_in(), look_ups(counter)) == (1, 1)


def test_an_event_is_not_believed(counter):
    counter.charge("pm_fault_processing_uncancellable")

    announce(counter, event(counter, status="succeeded", amount_received=2500))

    assert (counter.row.status, counter.moved) == ("pending", [])


def test_what_was_signed_with_another_secret_or_not_at_all_changes_nothing(settled):
    body, now = event(settled), f"{time.time():.0f}"
    bad = [
        sign(body, NEXT_SECRET, time.time()),
        sign(body + b" ", SECRET, time.time()),
        sign(json.dumps(json.loads(body), separators=(",", ":")).encode(), SECRET, time.time()),
        sign(body, "", time.time()),
        sign(body, SECRET, time.time()).replace("v1=", "v0="),
        sign(body, SECRET, time.time()).replace(f"t={now[:-1]}", f"t={int(now[:-1]) + 1}"),
        f"t={now},v1=",
        f"t={now}",
        "t=x,v1=y",
        "\u00fc",
        "nonsense",
        " ",
    ]
    for signature in bad:
        with pytest.raises(BadWebhook, match="the signature is not the provider's"):
            announce(settled, body, signature=signature)

    assert (settled.row.status, taken_in(), look_ups(settled)) == ("pending", 0, 0)


@pytest.mark.parametrize("shift", [-302, -86_400, 302, 86_400])
def test_what_was_signed_long_ago_or_in_the_future_may_be_a_replay(settled, shift):
    with pytest.raises(BadWebhook, match="more than 300 s"):
        announce(settled, event(settled), at=time.time() + shift)

    assert (settled.row.status, taken_in()) == ("pending", 0)


@pytest.mark.parametrize("shift", [-290, 290])
def test_clocks_may_differ_by_some_minutes(settled, shift):
    announce(settled, event(settled), at=time.time() + shift)

    assert settled.row.status == "captured"


def test_while_one_secret_is_replaced_by_another_both_are_good(settled, settings):
    announce(settled, event(settled, id="evt_0"))
    settings.STRIPE_WEBHOOK_SECRETS = (NEXT_SECRET, SECRET)
    for secret in (SECRET, NEXT_SECRET):
        announce(settled, event(settled, id=f"evt_{secret}"), secret=secret)
    settings.STRIPE_WEBHOOK_SECRETS = (NEXT_SECRET,)

    with pytest.raises(BadWebhook):
        announce(settled, event(settled, id="evt_2"))
    assert taken_in() == 3


@pytest.mark.parametrize("kind", ["customer.created", "invoice.paid", "a.kind.of.the.future"])
def test_an_event_that_is_about_nothing_of_ours_is_taken_in_quietly(counter, kind):
    counter.charge("pm_async")

    announce(counter, event(counter, kind=kind))

    assert (taken_in(), look_ups(counter)) == (1, 0)


@pytest.mark.parametrize(
    "metadata", [None, {}, {"key": ""}, {"key": 7}, {"key": "\x00"}, {"key": "x" * 400}, {"key": "y"}]
)
def test_an_event_about_a_payment_that_nobody_knows_is_taken_in_quietly(counter, metadata):
    counter.charge()

    announce(counter, event(counter, metadata=metadata))

    assert (taken_in(), look_ups(counter)) == (1, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"id": "x", "type": "charge.x", "data": {}}',
        b'{"id": 1, "type": "charge.x", "data": {"object": {}}}',
        b'{"id": "", "type": "charge.x", "data": {"object": {}}}',
        b'{"id": "a\\u0000", "type": "charge.x", "data": {"object": {}}}',
        b'{"id": "x", "type": "charge.x", "data": {"object": []}}',
        b"[" * 100_000,
    ],
)
def test_what_is_signed_and_cannot_be_understood_is_refused(counter, body):
    with pytest.raises(BadWebhook):
        announce(counter, body)

    assert taken_in() == 0


def test_over_http_a_webhook_is_answered_204_and_a_bad_one_400_and_the_sandbox_is_not_there(settled, monkeypatch):
    monkeypatch.setattr(module.SERVICE, "webhook", settled.service.webhook)
    client, body = Client(), event(settled)

    def post(provider: str, **headers: str) -> int:
        address = f"/api/payments/webhooks/{provider}"
        return client.post(address, body, content_type="application/json", headers=headers).status_code

    assert post("stripe", **{"Stripe-Signature": "t=1,v1=0"}) == 400
    assert post("stripe") == 400
    assert post("sandbox", **{"X-Sandbox-Signature": "t=1,v1=0"}) == 404
    assert settled.row.status == "pending"
    assert post("stripe", **{"Stripe-Signature": sign(body, SECRET, time.time())}) == 204
    assert settled.row.status == "captured"


def test_a_refund_that_settles_later_is_asked_about_when_its_event_comes(counter):
    counter.charge("pm_fault_refund_then_timeout")
    assert counter.void().status == "captured"

    announce(counter, event(counter, kind="refund.updated", metadata={"key": f"{counter.key}:refund"}))

    assert (counter.row.status, counter.their_refunds) == ("refunded", 1)


def test_a_provider_that_is_away_while_it_announces_is_asked_later(settled, settings, provider):
    settled.service._provider.gateway._client._requestor._options.base_addresses["api"] = "http://127.0.0.1:9"

    announce(settled, event(settled))

    assert (settled.row.status, taken_in()) == ("pending", 1)
    settled.service._provider.gateway._client._requestor._options.base_addresses["api"] = provider.url
    assert settled.inquire().status == "captured"
