"""Stripe's announcements: signed over the raw body with a secret of ours, no older or newer than five minutes."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import stripe
from django.conf import settings

from apps.payments.gateways import BadWebhook, Webhook

OLDEST_WEBHOOK = 300
"""Seconds: a message older, or from further in the future, may be a replay."""

ABOUT_MONEY = ("payment_intent.", "charge.", "refund.")
"""The beginnings of the events' types that tell of a charge or a refund. The others are taken in quietly."""


def read_webhook(*, body: bytes, signature: str) -> Webhook:
    """Raises BadWebhook."""
    _require_signature(body, signature)
    _require_fresh(signature)
    try:
        event = json.loads(body)
        event_id, kind, about = event["id"], event["type"], event["data"]["object"]
        if not re.fullmatch(r"[!-~]{1,255}", event_id):
            raise BadWebhook("the message has no id")
        if not kind.startswith(ABOUT_MONEY):
            return Webhook(event_id=event_id, key="")
        return Webhook(event_id=event_id, key=_key(about))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadWebhook("the message cannot be understood") from error


def _require_signature(body: bytes, signature: str) -> None:
    """Any of our secrets will do: while one is replaced by another, both are good."""
    if not signature.isascii():
        raise BadWebhook("the signature is not the provider's")
    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        try:
            stripe.WebhookSignature.verify_header(body, signature, secret, OLDEST_WEBHOOK)
        except stripe.SignatureVerificationError as error:
            if "tolerance" in str(error):
                raise BadWebhook(f"the message was signed more than {OLDEST_WEBHOOK} s ago") from error
        except UnicodeError as error:
            raise BadWebhook("the message cannot be understood") from error
        else:
            return
    raise BadWebhook("the signature is not the provider's")


def _require_fresh(signature: str) -> None:
    """The SDK looks for what is too old only."""
    signed_at = next(int(part[2:]) for part in signature.split(",") if part.startswith("t="))
    if signed_at - time.time() > OLDEST_WEBHOOK:
        raise BadWebhook(f"the message was signed more than {OLDEST_WEBHOOK} s from now")


def _key(about: Any) -> str:
    """Ours, where it can be one: an intent, a charge or a refund carries it."""
    key = (about.get("metadata") or {}).get("key", "")
    return key if isinstance(key, str) and len(key) <= 300 and key.isprintable() else ""
