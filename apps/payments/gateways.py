"""What payments asks of a provider, whichever it is, and how a provider may answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from contracts._base import Money

CAPTURED = "captured"
DECLINED = "declined"
PENDING = "pending"
CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a provider says of a charge. ``reason`` is one of our codes where it was declined."""

    state: str
    reference: str
    amount: Money
    refunded: Money
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A provider's message: something happened to the charge with this key. What, is looked up, not believed."""

    event_id: str
    key: str


class ProviderSilent(Exception):
    """The provider did not answer. It may have done what it was asked."""


class BadWebhook(Exception):
    """This message is not signed by the provider, is too old, or cannot be understood."""


class Gateway(Protocol):
    """
    A payment provider. Every question carries our key; the same key is the same charge, however often it is asked.

    Timeouts are seconds. Any method that takes one may raise ProviderSilent: then it may have run.
    """

    name: str

    def charge(self, *, key: str, amount: Money, method: str, timeout: float) -> Answer:
        """Take the money, once for this key."""
        ...

    def look_up(self, *, key: str, timeout: float) -> Answer | None:
        """What the provider knows of this key; None where it never heard of it."""
        ...

    def cancel(self, *, key: str, amount: Money, timeout: float) -> Answer:
        """End a charge that is open, or comes later. Answers captured or declined where it is beyond that."""
        ...

    def refund(self, *, key: str, charge_key: str, amount: Money, timeout: float) -> str:
        """Give back so much of a captured charge, once for this key. The provider's reference of the refund."""
        ...

    def read_webhook(self, *, body: bytes, headers: Mapping[str, str]) -> Webhook:
        """Raises BadWebhook."""
        ...
