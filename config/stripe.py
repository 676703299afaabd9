"""What it takes to be paid through Stripe: a secret key, the secrets that sign its webhooks, and where it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

API_BASE = "https://api.stripe.com"

_LOOPBACK = r"http://(127\.0\.0\.1|localhost|\[::1\])"


class BadStripeSetting(ValueError):
    """A setting for Stripe cannot be used. ``value`` is shown: it is no secret."""

    def __init__(self, name: str, value: str, wanted: str) -> None:
        super().__init__(f"{name} cannot be used: {wanted}")
        self.name, self.value, self.wanted = name, value, wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeSettings:
    """Empty secrets where Stripe is not in use. While a webhook secret is replaced by another, both are good."""

    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    api_base: str


def stripe_settings(environ: Mapping[str, str], *, in_use: bool) -> StripeSettings:
    """Raises BadStripeSetting; where Stripe is not in use, nothing is looked at."""
    if not in_use:
        return StripeSettings(secret_key="", webhook_secrets=(), api_base=API_BASE)
    key = environ.get("STRIPE_API_KEY", "")
    if not re.fullmatch(r"(sk|rk)_(test|live)_[A-Za-z0-9]+", key):
        wanted = "with PAYMENT_PROVIDER=stripe it is a secret key of Stripe's, as in sk_test_ and letters"
        raise BadStripeSetting("STRIPE_API_KEY", _shown(key), wanted)
    return StripeSettings(secret_key=key, webhook_secrets=_webhook_secrets(environ), api_base=_api_base(environ))


def _webhook_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    value = environ.get("STRIPE_WEBHOOK_SECRET", "")
    secrets = tuple(word.strip() for word in value.split(","))
    if len(secrets) > 2 or not all(re.fullmatch(r"whsec_[A-Za-z0-9+/=_-]{16,}", secret) for secret in secrets):
        wanted = "with PAYMENT_PROVIDER=stripe it is one signing secret of Stripe's, or two with a comma, as in whsec_…"
        raise BadStripeSetting("STRIPE_WEBHOOK_SECRET", _shown(value), wanted)
    return secrets


def _api_base(environ: Mapping[str, str]) -> str:
    value = environ.get("STRIPE_API_BASE") or API_BASE
    if not re.fullmatch(rf"(https://[^\s/?#@]+|{_LOOPBACK}(:\d+)?)/?", value):
        wanted = "it is an https address without a path, or an http one on this machine, as in https://api.stripe.com"
        raise BadStripeSetting("STRIPE_API_BASE", value, wanted)
    return value.rstrip("/")


def _shown(secret: str) -> str:
    """An empty secret is no secret; another is not repeated."""
    return "…" if secret else ""
