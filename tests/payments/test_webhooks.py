"""What a provider announces is taken only with its signature, never believed, and delivered until it is taken."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest

from apps.payments import sandbox
from apps.payments.gateways import BadWebhook
from apps.payments.models import SandboxWebhook, WebhookReceipt
from apps.payments.sandbox import SIGNATURE, Sandbox, deliver_webhooks, sign_webhook
from tests.payments.till import Till
from tests.together import shift_clock, together


def announce(till: Till, *, body: bytes | None = None, signature: str | None = None, at: float | None = None) -> None:
    told = json.dumps({"id": "event-1", "key": till.key}).encode() if body is None else body
    signed = sign_webhook(told, at=at or time.time()) if signature is None else signature
    till.service.webhook(provider="sandbox", body=told, headers={SIGNATURE: signed})


@pytest.fixture
def settled(till) -> Till:
    """A payment that settles later, and whose time has come."""
    till.charge("pm_card_async")
    shift_clock("payments", "3 seconds")
    return till


# --- Taken in -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_announcement_has_the_payment_looked_up_and_captured_once_however_often_it_comes(settled):
    for _ in range(3):
        announce(settled)

    assert settled.row.status == "captured"
    assert settled.moved == [("capture", "25.00")]
    assert settled.told == ["PaymentCaptured"]
    assert WebhookReceipt.objects.using("payments").count() == 1


@pytest.mark.django_db
def test_an_announcement_is_not_believed(till):
    till.charge("pm_card_async")

    announce(till, body=json.dumps({"id": "e", "key": till.key, "state": "captured"}).encode())

    assert (till.row.status, till.moved) == ("pending", [])


BODY = b'{"id": "event-1", "key": "k"}'


NOT_THE_PROVIDERS = {
    "none": "",
    "empty": "t=,v1=",
    "no time": "v1=abc",
    "nonsense": "nonsense",
    "not ascii": "t=1,v1=\u00fc",
    "zeros": f"t={time.time():.0f},v1={'0' * 64}",
    "of another body": sign_webhook(BODY + b" ", at=time.time()),
}


@pytest.mark.django_db
@pytest.mark.parametrize("how", NOT_THE_PROVIDERS)
def test_what_the_provider_did_not_sign_changes_nothing(settled, how):
    with pytest.raises(BadWebhook, match="the signature is not the provider's"):
        announce(settled, body=BODY, signature=NOT_THE_PROVIDERS[how])

    assert settled.row.status == "pending"
    assert not WebhookReceipt.objects.using("payments").exists()


@pytest.mark.django_db
def test_a_signature_for_another_time_is_not_the_providers(settled):
    signed = sign_webhook(BODY, at=time.time())
    moved = signed.replace(signed.split(",")[0], f"t={time.time() + 60:.0f}")

    with pytest.raises(BadWebhook, match="the signature is not the provider's"):
        announce(settled, body=BODY, signature=moved)


@pytest.mark.django_db
@pytest.mark.parametrize("shift", [-301, -86_400, 302])
def test_what_was_signed_long_ago_or_in_the_future_may_be_a_replay(settled, shift):
    with pytest.raises(BadWebhook, match="more than 300 s from now"):
        announce(settled, at=time.time() + shift)

    assert settled.row.status == "pending"


@pytest.mark.django_db
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": "x"}', b"\xff\xfe", b'"text"', b"null"])
def test_what_is_signed_and_cannot_be_understood_is_refused(settled, body):
    with pytest.raises(BadWebhook, match="cannot be understood"):
        announce(settled, body=body)


@pytest.mark.django_db
def test_an_announcement_of_a_charge_that_nobody_knows_is_taken_in_quietly(till):
    announce(till)

    assert WebhookReceipt.objects.using("payments").count() == 1


@pytest.mark.django_db
def test_a_provider_that_is_not_in_use_here_is_not_listened_to(till):
    with pytest.raises(LookupError):
        till.service.webhook(provider="stripe", body=b"", headers={})


def test_ten_copies_at_once_capture_once(committed, till, monkeypatch):
    monkeypatch.setattr(sandbox, "SETTLES_AFTER", timedelta(0))
    till.charge("pm_card_async")

    assert together(*[partial(announce, till)] * 10) == [None] * 10

    assert (till.row.status, till.moved) == ("captured", [("capture", "25.00")])
    assert till.told == ["PaymentCaptured"]


# --- Delivered ------------------------------------------------------------------------------------------------------


class Ear:
    """An HTTP server that notes what it was told, and answers as the test says."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, dict[str, str]]] = []
        self.answers: list[int] = []
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ear.heard.append((body, dict(self.headers)))
                self.send_response(ear.answers.pop(0) if ear.answers else 204)
                self.end_headers()

            def log_message(self, *words: Any) -> None:
                """Nothing is to be said."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def ear(settings) -> Iterator[Ear]:
    ear = Ear()
    settings.SANDBOX_WEBHOOK_URL = ear.url
    yield ear
    ear.close()


def owed() -> list[SandboxWebhook]:
    return list(SandboxWebhook.objects.using("payments").filter(delivered_at=None))


@pytest.mark.django_db
def test_a_message_is_sent_when_it_is_due_signed_and_once_taken_never_again(till, ear):
    till.charge("pm_card_async")
    deliver_webhooks()
    assert ear.heard == []
    shift_clock("payments", "3 seconds")

    assert deliver_webhooks() is False
    shift_clock("payments", "1 hour")
    deliver_webhooks()

    ((body, headers),) = ear.heard
    message = Sandbox().read_webhook(body=body, headers=headers)
    assert message.key == till.key
    assert owed() == []


@pytest.mark.django_db
@pytest.mark.parametrize("answer", [500, 404, 302])
def test_a_message_that_was_not_taken_is_sent_again_after_a_while_under_the_same_id(till, ear, answer):
    ear.answers = [answer]
    till.charge("pm_card_async")
    shift_clock("payments", "3 seconds")
    deliver_webhooks()
    deliver_webhooks()
    assert len(ear.heard) == 1
    shift_clock("payments", "9 seconds")

    deliver_webhooks()

    assert [json.loads(body)["id"] for body, _ in ear.heard] == [json.loads(ear.heard[0][0])["id"]] * 2
    assert owed() == []


@pytest.mark.django_db
def test_while_nobody_listens_a_message_stays_owed(till, ear):
    till.charge("pm_card_async")
    shift_clock("payments", "3 seconds")
    ear.close()
    deliver_webhooks()

    (row,) = owed()
    assert row.attempts == 1


def test_each_message_is_sent_by_one_of_several_relays(committed, till, ear, monkeypatch):
    monkeypatch.setattr(sandbox, "SETTLES_AFTER", timedelta(0))
    for _ in range(12):
        Till(till.service).charge("pm_card_async", key=str(uuid4()))

    together(*[deliver_webhooks] * 4)

    keys = [json.loads(body)["key"] for body, _ in ear.heard]
    assert len(keys) == len(set(keys)) == 12
    assert owed() == []


@pytest.mark.django_db
def test_with_another_provider_the_sandbox_sends_nothing(theirs, ear):
    SandboxWebhook(payload={"key": "k"}, due_at="2020-01-01T00:00:00Z").save(using="payments", force_insert=True)

    assert theirs.service.deliver_sandbox_webhooks() is False

    assert ear.heard == []
