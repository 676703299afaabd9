"""
Stripe, asked through its official SDK. A charge is a PaymentIntent: made by ``prepare``, confirmed by ``charge``.

What it says is read with distrust: an answer of another shape is no answer. Only a refusal that it gives a name to is
a refusal; all else (an outage, a 404, a bad key of ours, a body cut short) leaves the outcome unknown.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import stripe
from django.conf import settings

from apps.payments import gateways
from apps.payments.gateways import (
    AUTHORIZED,
    CANCELLED,
    CAPTURED,
    DECLINED,
    PENDING,
    PREPARED,
    Answer,
    Charge,
    EntryPage,
    KeyRefused,
    ProviderFailed,
    ProviderSilent,
    RefundAnswer,
    Repayment,
)
from apps.payments.stripe_answers import amount_of, entry_of_capture, entry_of_refund, id_of, in_minor_units, read_money
from apps.payments.stripe_client import PooledClient, within
from apps.payments.stripe_webhooks import read_webhook
from contracts._base import Money

log = logging.getLogger(__name__)

LARGEST_PAGE = 100

STATES = {
    "succeeded": CAPTURED,
    "requires_capture": AUTHORIZED,
    "processing": PENDING,
    "requires_action": PENDING,
    "canceled": CANCELLED,
}
REFUND_STATES = {
    "succeeded": RefundAnswer.DONE,
    "pending": RefundAnswer.PENDING,
    "requires_action": RefundAnswer.PENDING,
    "failed": RefundAnswer.FAILED,
    "canceled": RefundAnswer.FAILED,
}


class Stripe:
    """Keeps gateways.Gateway's promise."""

    name = "stripe"

    def __init__(self) -> None:
        self._client = stripe.StripeClient(
            settings.STRIPE_API_KEY,
            base_addresses={"api": settings.STRIPE_API_BASE},
            http_client=PooledClient(places=settings.PROVIDER_WAITERS),
            max_network_retries=0,
        ).v1

    def reference_of(self, *, key: str) -> str:
        return ""

    # --- A charge ---------------------------------------------------------------------------------------------------

    def prepare(self, charge: Charge, *, timeout: float) -> Answer:
        wanted: Any = {
            "amount": in_minor_units(charge.amount),
            "currency": charge.amount.currency.lower(),
            "capture_method": "manual" if charge.hold else "automatic",
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "metadata": {"key": charge.key, "order_id": str(charge.order_id)},
        }
        with _asking(timeout):
            options = _under(charge.key, "prepare", charge.number)
            made = _insist(lambda: self._client.payment_intents.create(wanted, options))
            if made["metadata"]["key"] != charge.key:
                raise ProviderSilent(f"asked for {charge.key}, it answers with {made['metadata']['key']!r}")
            return Answer(
                state=PREPARED,
                reference=id_of(made, "pi"),
                amount=amount_of(made, "amount"),
                refunded=Money.zero(charge.amount.currency),
            )

    def charge(self, charge: Charge, *, timeout: float) -> Answer:
        wanted: Any = {"payment_method": charge.method}
        options = _under(charge.key, "confirm", charge.number)
        return self._move(
            charge, timeout, lambda: self._client.payment_intents.confirm(charge.reference, wanted, options)
        )

    def capture(self, charge: Charge, *, timeout: float) -> Answer:
        options = _under(charge.key, "capture", charge.number)
        return self._move(charge, timeout, lambda: self._client.payment_intents.capture(charge.reference, {}, options))

    def cancel(self, charge: Charge, *, timeout: float) -> Answer:
        options = _under(charge.key, "cancel", charge.number)
        return self._move(charge, timeout, lambda: self._client.payment_intents.cancel(charge.reference, {}, options))

    def look_up(self, charge: Charge, *, timeout: float) -> Answer | None:
        with _asking(timeout):
            return self._look_up(charge)

    def _look_up(self, charge: Charge) -> Answer | None:
        wanted: Any = {"expand": ["latest_charge"]}
        return _answer(charge, self._client.payment_intents.retrieve(charge.reference, wanted).to_dict())

    def _move(self, charge: Charge, timeout: float, ask: Callable[[], stripe.PaymentIntent]) -> Answer:
        """
        A question that may move money. Where it is refused, what the intent says of itself counts: it may have been
        answered before, or have gone another way.
        """
        with _asking(timeout):
            try:
                found = _answer(charge, _insist(ask))
            except stripe.CardError as refusal:
                return _declined(charge, refusal)
            except stripe.InvalidRequestError as refusal:
                found = self._look_up(charge)
                if found is None and refusal.param == "payment_method":
                    return _declined(charge, refusal)
                if found is None:
                    raise
            if found is None:
                raise ProviderSilent(f"{charge.reference} is as it was before it was asked")
            return found

    # --- A refund ---------------------------------------------------------------------------------------------------

    def refund(self, repayment: Repayment, *, timeout: float) -> RefundAnswer:
        wanted: Any = {
            "payment_intent": repayment.reference,
            "amount": in_minor_units(repayment.amount),
            "metadata": {"key": repayment.key, "order_id": str(repayment.order_id)},
        }
        options = _under(repayment.key, "refund", repayment.number)
        with _asking(timeout):
            known = self._known_refund(repayment) if repayment.asked_before else None
            return known or _refund_answer(_insist(lambda: self._client.refunds.create(wanted, options)))

    def _known_refund(self, repayment: Repayment) -> RefundAnswer | None:
        """What became of it: of all tries under its key, the one that moved money, or still may."""
        wanted: Any = {"payment_intent": repayment.reference, "limit": LARGEST_PAGE}
        for row in self._client.refunds.list(wanted).auto_paging_iter():
            refund = row.to_dict()
            if (refund.get("metadata") or {}).get("key") == repayment.key:
                answer = _refund_answer(refund)
                if answer.state != RefundAnswer.FAILED:
                    return answer
        return None

    # --- The list ---------------------------------------------------------------------------------------------------

    def entries(self, *, after: str | None, limit: int, timeout: float) -> EntryPage:
        kind, _, last = (after or "captures ").partition(" ")
        wanted: Any = {"limit": min(limit, LARGEST_PAGE), **({"starting_after": last} if last else {})}
        with _asking(timeout):
            if kind == "captures":
                wanted["expand"] = ["data.latest_charge.balance_transaction"]
                page = self._client.payment_intents.list(wanted).to_dict()
            else:
                page = self._client.refunds.list(wanted).to_dict()
            rows, read = page["data"], entry_of_capture if kind == "captures" else entry_of_refund
            items = tuple(entry for entry in map(read, rows) if entry is not None)
            if page["has_more"]:
                return EntryPage(items=items, next=f"{kind} {rows[-1]['id']}")
        return EntryPage(items=items, next="refunds " if kind == "captures" else None)

    # --- What it announces ------------------------------------------------------------------------------------------

    def read_webhook(self, *, body: bytes, headers: Mapping[str, str]) -> gateways.Webhook:
        return read_webhook(body=body, signature=headers.get("Stripe-Signature", ""))


# --- Asking ---------------------------------------------------------------------------------------------------------


@contextmanager
def _asking(timeout: float) -> Iterator[None]:
    """All questions inside have so many seconds. What is no answer is silence."""
    try:
        with within(timeout):
            yield
    except stripe.StripeError as error:
        level = logging.ERROR if error.http_status in {400, 401, 403, 404} else logging.INFO
        # Not its words: they may repeat what a customer wrote, or a part of our key.
        log.log(level, "stripe: %s %s %s %s", type(error).__name__, error.http_status, error.code, error.request_id)
        kind = KeyRefused if error.http_status in {401, 403} else ProviderSilent
        raise kind(f"{type(error).__name__} {error.http_status or ''}".strip()) from error
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise ProviderSilent(f"the answer cannot be understood: {type(error).__name__} {error}") from error


def _insist(ask: Callable[[], Any]) -> dict[str, Any]:
    """
    Ask, and after a failure of the provider's once more under the same key: it may keep that failure as its answer for
    good, and then says so. Raises ProviderFailed where it does.
    """
    try:
        answer: dict[str, Any] = ask().to_dict()
    except stripe.APIError as failure:
        if (failure.http_status or 0) < 500:
            raise
        try:
            answer = ask().to_dict()
        except stripe.APIError as again:
            kept = (again.headers or {}).get("Idempotent-Replayed") == "true"
            if (again.http_status or 0) >= 500 and kept:
                raise ProviderFailed("it keeps a failure as its answer") from again
            raise
    return answer


def _under(key: str, action: str, number: int) -> Any:
    """The key of a question: ours, what is asked, and how often that was refused for good. At most 255 characters."""
    text = f"{key}:{action}:{number}"
    return {"idempotency_key": text if len(text) <= 255 else hashlib.sha256(text.encode()).hexdigest()}


# --- Understanding --------------------------------------------------------------------------------------------------


def _answer(charge: Charge, intent: dict[str, Any]) -> Answer | None:
    """None where it was never confirmed. Raises KeyError and the like, or ProviderSilent, where it is no answer."""
    status = intent["status"]
    if intent["id"] != charge.reference:
        raise ProviderSilent(f"asked about {charge.reference}, it answers about {intent['id']}")
    refused = intent.get("last_payment_error")
    if status == "requires_confirmation" or (status == "requires_payment_method" and not refused):
        return None
    state = DECLINED if status == "requires_payment_method" else STATES.get(status)
    if state is None:
        raise ProviderSilent(f"{charge.reference} is {status!r}, which nobody here understands")
    paid = intent.get("latest_charge")
    field = {CAPTURED: "amount_received", AUTHORIZED: "amount_capturable"}.get(state, "amount")
    refunded = paid.get("amount_refunded", 0) if isinstance(paid, dict) else 0
    return Answer(
        state=state,
        reference=charge.reference,
        amount=amount_of(intent, field),
        refunded=read_money(refunded, intent["currency"]),
        reason=_reason(refused or {}) if state == DECLINED else None,
    )


def _declined(charge: Charge, refusal: stripe.CardError | stripe.InvalidRequestError) -> Answer:
    told = refusal.json_body["error"] if isinstance(refusal.json_body, dict) else {}
    intent = told.get("payment_intent")
    amount = amount_of(intent, "amount") if isinstance(intent, dict) else charge.amount
    return Answer(
        state=DECLINED,
        reference=charge.reference,
        amount=amount,
        refunded=Money.zero(charge.amount.currency),
        reason=_reason(told),
    )


def _reason(error: Mapping[str, Any]) -> str:
    lacks_funds = "insufficient_funds" in {error.get("code"), error.get("decline_code")}
    return "insufficient_funds" if lacks_funds else "payment_declined"


def _refund_answer(refund: dict[str, Any]) -> RefundAnswer:
    state = REFUND_STATES.get(refund["status"])
    if state is None:
        raise ProviderSilent(f"refund {refund['id']} is {refund['status']!r}, which nobody here understands")
    return RefundAnswer(state=state, reference=id_of(refund, "re"), amount=amount_of(refund, "amount"))
