"""
A provider that lives in this process, for trying things out: it behaves by the payment method it is given.

Its books are tables of their own, committed apart from the payment, so that a crash of ours makes it forget nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import urllib3
from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from apps.payments.gateways import (
    AUTHORIZED,
    CANCELLED,
    CAPTURED,
    DECLINED,
    PENDING,
    PREPARED,
    Answer,
    BadWebhook,
    Charge,
    Entry,
    EntryPage,
    ProviderSilent,
    RefundAnswer,
    Repayment,
    Webhook,
)
from apps.payments.models import SandboxCharge, SandboxRefund, SandboxWebhook
from contracts._base import Money
from runtime.databases.clock import Now
from runtime.databases.rows import insert_once

log = logging.getLogger(__name__)

ALIAS = "payments"
SIGNATURE = "X-Sandbox-Signature"
OLDEST_WEBHOOK = 300.0
"""Seconds: a message older, or from further in the future, may be a replay."""

CAPTURE, REFUND = "capture", "refund"
"""The kinds of entries in its list: the captures first, then the refunds, each in the order of their keys."""

SETTLES_AFTER = timedelta(seconds=2)
HOLDS_FOR = timedelta(days=7)
"""An authorisation that was not captured by then has lapsed."""

METHODS: dict[str, dict[str, str]] = {
    "pm_card_visa": {"state": CAPTURED},
    "pm_card_declined": {"state": DECLINED, "reason": "payment_declined"},
    "pm_card_insufficient_funds": {"state": DECLINED, "reason": "insufficient_funds"},
    "pm_card_async": {"state": PENDING, "settles_as": CAPTURED},
    "pm_card_async_fail": {"state": PENDING, "settles_as": DECLINED, "reason": "payment_failed"},
    "pm_card_timeout": {"state": CAPTURED},
}


class Sandbox:
    """Keeps gateways.Gateway's promise. Its reference of a charge follows from the key, so nothing is prepared."""

    name = "sandbox"

    def reference_of(self, *, key: str) -> str:
        return f"ch_{key}"

    def prepare(self, charge: Charge, *, timeout: float) -> Answer:
        reference, nothing = self.reference_of(key=charge.key), Money.zero(charge.amount.currency)
        return Answer(state=PREPARED, reference=reference, amount=charge.amount, refunded=nothing)

    def charge(self, charge: Charge, *, timeout: float) -> Answer:
        behaviour = METHODS.get(charge.method, {"state": DECLINED, "reason": "payment_declined"})
        if charge.hold:
            behaviour = {name: AUTHORIZED if word == CAPTURED else word for name, word in behaviour.items()}
        row, is_new = _insert(charge, charge.method, behaviour)
        if is_new and charge.method == "pm_card_timeout":
            _never_answer(timeout)
        return _answer(row)

    def look_up(self, charge: Charge, *, timeout: float) -> Answer | None:
        row = _settled(charge.key)
        return None if row is None else _answer(row)

    def capture(self, charge: Charge, *, timeout: float) -> Answer:
        with transaction.atomic(using=ALIAS):
            row = SandboxCharge.objects.using(ALIAS).select_for_update().get(pk=charge.key)
            _settle_if_due(row)
            SandboxCharge.objects.using(ALIAS).filter(pk=row.pk, state=AUTHORIZED).update(
                state=CAPTURED, captured_at=Now()
            )
            row.refresh_from_db(using=ALIAS)
        return _answer(row)

    def cancel(self, charge: Charge, *, timeout: float) -> Answer:
        _insert(charge, "", {"state": CANCELLED})
        with transaction.atomic(using=ALIAS):
            row = SandboxCharge.objects.using(ALIAS).select_for_update().get(pk=charge.key)
            _settle_if_due(row)
            if row.state in {PENDING, AUTHORIZED}:
                row.state = CANCELLED
                row.save(using=ALIAS, update_fields=["state"])
        return _answer(row)

    def refund(self, repayment: Repayment, *, timeout: float) -> RefundAnswer:
        key, amount = repayment.key, repayment.amount
        with transaction.atomic(using=ALIAS):
            charge = SandboxCharge.objects.using(ALIAS).select_for_update().get(pk=repayment.charge_key)
            if not SandboxRefund.objects.using(ALIAS).filter(pk=key).exists():
                if charge.state != CAPTURED or _refunded(charge) + amount.amount > charge.amount:
                    raise AssertionError(f"the sandbox cannot refund {amount} of {repayment.charge_key}")
                SandboxRefund(key=key, charge=charge, amount=amount.amount).save(using=ALIAS, force_insert=True)
        return RefundAnswer(state=RefundAnswer.DONE, reference=f"re_{key}", amount=amount)

    def entries(self, *, after: str | None, limit: int, timeout: float) -> EntryPage:
        kind, _, last = (after or f"{CAPTURE} ").partition(" ")
        listed = _captures(last, limit) if kind == CAPTURE else _refunds(last, limit)
        if len(listed) == limit:
            return EntryPage(items=listed, next=f"{kind} {listed[-1].key}")
        return EntryPage(items=listed, next=f"{REFUND} " if kind == CAPTURE else None)

    def read_webhook(self, *, body: bytes, headers: Mapping[str, str]) -> Webhook:
        parts = dict(part.partition("=")[::2] for part in headers.get(SIGNATURE, "").split(","))
        signed_at = parts.get("t", "")
        if not hmac.compare_digest(_sign(signed_at, body).encode(), parts.get("v1", "").encode()):
            raise BadWebhook("the signature is not the provider's")
        if abs(time.time() - float(signed_at)) > OLDEST_WEBHOOK:
            raise BadWebhook(f"the message was signed at {signed_at}, more than {OLDEST_WEBHOOK:.0f} s from now")
        try:
            message = json.loads(body)
            return Webhook(event_id=str(message["id"]), key=str(message["key"]))
        except (ValueError, KeyError, TypeError) as error:
            raise BadWebhook("the message cannot be understood") from error


def deliver_webhooks() -> bool:
    """Send the messages that are due, signed, over real HTTP. Whether there may be more."""
    with transaction.atomic(using=ALIAS):
        rows = list(
            SandboxWebhook.objects.using(ALIAS)
            .select_for_update(skip_locked=True)
            .filter(delivered_at=None, due_at__lte=Now())
            .order_by("due_at")[:20]
        )
        # Not due again while it is being sent; and again later if it was not taken.
        SandboxWebhook.objects.using(ALIAS).filter(pk__in=[row.pk for row in rows]).update(
            attempts=F("attempts") + 1, due_at=Now() + timedelta(seconds=5)
        )
    for row in rows:
        if _post(row):
            SandboxWebhook.objects.using(ALIAS).filter(pk=row.pk).update(delivered_at=Now())
    return len(rows) == 20


# --- The books ------------------------------------------------------------------------------------------------------


def _insert(charge: Charge, method: str, behaviour: Mapping[str, str]) -> tuple[SandboxCharge, bool]:
    with transaction.atomic(using=ALIAS):
        settles_at: Any = Now() + SETTLES_AFTER if "settles_as" in behaviour else None
        captured_at: Any = Now() if behaviour["state"] == CAPTURED else None
        new = SandboxCharge(
            key=charge.key,
            method=method,
            amount=charge.amount.amount,
            currency=charge.amount.currency,
            state=behaviour["state"],
            reason=behaviour.get("reason"),
            settles_at=settles_at,
            settles_as=behaviour.get("settles_as"),
            captured_at=captured_at,
        )
        is_new = insert_once(new, using=ALIAS)
        if is_new and settles_at is not None:
            SandboxWebhook(payload={"key": charge.key}, due_at=settles_at).save(using=ALIAS, force_insert=True)
    return SandboxCharge.objects.using(ALIAS).get(pk=charge.key), is_new


def _settled(key: str) -> SandboxCharge | None:
    with transaction.atomic(using=ALIAS):
        charge = SandboxCharge.objects.using(ALIAS).select_for_update().filter(pk=key).first()
        if charge is not None:
            _settle_if_due(charge)
    return charge


def _settle_if_due(charge: SandboxCharge) -> None:
    """A pending charge is settled, and an authorisation lapses, once its time has come, whoever looks first."""
    row = SandboxCharge.objects.using(ALIAS).filter(pk=charge.pk)
    if charge.state == PENDING:
        row.filter(state=PENDING, settles_at__lte=Now()).update(state=F("settles_as"), captured_at=F("settles_at"))
    if charge.state == AUTHORIZED:
        row.filter(state=AUTHORIZED, created_at__lte=Now() - HOLDS_FOR).update(state=CANCELLED)
    charge.refresh_from_db(using=ALIAS)


def _captures(after: str, limit: int) -> tuple[Entry, ...]:
    rows = SandboxCharge.objects.using(ALIAS).annotate(moved_at=Coalesce("captured_at", "created_at"))
    rows = rows.filter(state=CAPTURED, key__gt=after).order_by("key")[:limit]
    return tuple(
        Entry(
            reference=f"ch_{row.key}",
            key=row.key,
            kind=CAPTURE,
            amount=Money(row.amount, row.currency),
            made_at=row.moved_at,
        )
        for row in rows
    )


def _refunds(after: str, limit: int) -> tuple[Entry, ...]:
    rows = SandboxRefund.objects.using(ALIAS).select_related("charge").filter(key__gt=after).order_by("key")[:limit]
    return tuple(
        Entry(
            reference=f"re_{row.key}",
            key=row.key,
            kind=REFUND,
            amount=Money(row.amount, row.charge.currency),
            made_at=row.created_at,
        )
        for row in rows
    )


def _refunded(charge: SandboxCharge) -> Decimal:
    total = charge.refunds.using(ALIAS).aggregate(total=Sum("amount"))["total"]
    return total or Decimal("0.00")


def _answer(charge: SandboxCharge) -> Answer:
    return Answer(
        state=charge.state,
        reference=f"ch_{charge.key}",
        amount=Money(charge.amount, charge.currency),
        refunded=Money(_refunded(charge), charge.currency),
        reason=charge.reason if charge.state == DECLINED else None,
    )


def _never_answer(timeout: float) -> None:
    """As long as the caller waits, nothing comes."""
    threading.Event().wait(timeout)
    raise ProviderSilent(f"no answer within {timeout:.1f} s")


# --- Webhooks -------------------------------------------------------------------------------------------------------


def _sign(signed_at: str, body: bytes) -> str:
    secret = settings.SANDBOX_WEBHOOK_SECRET.encode()
    return hmac.new(secret, signed_at.encode() + b"." + body, hashlib.sha256).hexdigest()


def sign_webhook(body: bytes, *, at: float) -> str:
    """The header's value: when it was signed (Unix seconds), and HMAC-SHA256 over that and the raw body."""
    return f"t={at:.0f},v1={_sign(f'{at:.0f}', body)}"


_http = urllib3.PoolManager(num_pools=2, maxsize=2, retries=False, timeout=5.0)


def _post(row: SandboxWebhook) -> bool:
    body = json.dumps({"id": str(row.pk), **row.payload}).encode()
    headers = {"Content-Type": "application/json", SIGNATURE: sign_webhook(body, at=time.time())}
    try:
        answer = _http.request("POST", settings.SANDBOX_WEBHOOK_URL, body=body, headers=headers)
    except urllib3.exceptions.HTTPError as error:
        log.warning("the sandbox could not deliver webhook %s: %s", row.pk, error)
        return False
    if answer.status >= 300:
        log.warning("the sandbox's webhook %s was answered %s", row.pk, answer.status)
        return False
    return True
