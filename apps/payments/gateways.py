"""
What payments asks of a provider, whichever it is, and how a provider may answer.

A charge is two questions. ``prepare`` has the provider make its object of the charge: no money moves, so a lost answer
costs nothing. ``charge`` confirms that object by its reference, which we have committed by then: so what became of a
question without an answer can always be asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol
from uuid import UUID

from contracts._base import Money

PREPARED = "prepared"
AUTHORIZED = "authorized"
CAPTURED = "captured"
DECLINED = "declined"
PENDING = "pending"
CANCELLED = "cancelled"


# --- What is asked --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """
    What a provider is told of a charge. The same key is the same charge, however often it is asked.

    ``reference`` is the provider's, empty before it is prepared. ``hold``: hold the money, and take it when asked.
    ``number`` counts how often the provider has refused this question for good: each number is a key of its own.
    """

    key: str
    reference: str
    order_id: UUID
    amount: Money
    method: str
    hold: bool
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repayment:
    """
    What a provider is told of a refund: of which charge, and how much. ``asked_before``: look first what became of it.
    """

    key: str
    charge_key: str
    reference: str
    order_id: UUID
    amount: Money
    number: int
    asked_before: bool


# --- How it is answered ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What a provider says of a charge. ``amount`` is what it took or holds, and before that what it is to take.
    ``reason`` is one of our codes where it was declined.
    """

    state: str
    reference: str
    amount: Money
    refunded: Money
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAnswer:
    """What a provider says of a refund: done, pending (it settles later), or failed for good under this key."""

    DONE: ClassVar[str] = "done"
    PENDING: ClassVar[str] = "pending"
    FAILED: ClassVar[str] = "failed"

    state: str
    reference: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Money that moved, as the provider lists it. ``kind`` is capture or refund, ``key`` the one of ours it keeps."""

    reference: str
    key: str
    kind: str
    amount: Money
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    items: tuple[Entry, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """
    A provider's message: something happened to the charge or the refund with this key (empty: to nothing of ours).
    What, is looked up, not believed.
    """

    event_id: str
    key: str


class ProviderSilent(Exception):
    """The provider did not answer, or not so that it can be understood. It may have done what it was asked."""

    outcome = "silent"


class ProviderFailed(ProviderSilent):
    """
    The provider keeps a failure as its answer under this key, and says the same however often it is asked. Whether it
    has done anything is to be looked up; if not, the question goes under a new key.
    """

    outcome = "failed"


class KeyRefused(ProviderSilent):
    """The provider does not know us by our key, or no longer: it has expired, or was taken back. It did nothing."""

    outcome = "key_refused"


class BadWebhook(Exception):
    """This message is not signed by the provider, is too old, or cannot be understood."""


class Gateway(Protocol):
    """
    A payment provider. Timeouts are seconds. Any method that takes one may raise ProviderSilent: then it may have run.
    """

    name: str

    def reference_of(self, *, key: str) -> str:
        """The reference that a charge with this key has, where that is known without a question. Else empty."""
        ...

    def prepare(self, charge: Charge, *, timeout: float) -> Answer:
        """Make the provider's object of a charge, once for its key: answers prepared. No money moves."""
        ...

    def charge(self, charge: Charge, *, timeout: float) -> Answer:
        """Take or hold the money of a charge that is prepared, once."""
        ...

    def look_up(self, charge: Charge, *, timeout: float) -> Answer | None:
        """What became of a charge; None where it was never confirmed, so that no money can have moved."""
        ...

    def capture(self, charge: Charge, *, timeout: float) -> Answer:
        """Take what is held, once. Answers cancelled where it is held no more."""
        ...

    def cancel(self, charge: Charge, *, timeout: float) -> Answer:
        """End a charge that is open or held, or comes later. Answers captured or declined where it is beyond that."""
        ...

    def refund(self, repayment: Repayment, *, timeout: float) -> RefundAnswer:
        """Give back so much of a captured charge, once for this key."""
        ...

    def entries(self, *, after: str | None, limit: int, timeout: float) -> EntryPage:
        """The money that it moved for us, in an order of its own, from where ``next`` of the page before left off."""
        ...

    def read_webhook(self, *, body: bytes, headers: Mapping[str, str]) -> Webhook:
        """Raises BadWebhook."""
        ...
