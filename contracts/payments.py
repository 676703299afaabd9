"""
Payments' promise to the other domains: money is taken once for a key, or not at all, and what is not known is said.

A charge answers with a status. ``unknown`` is a result of its own: the provider may or may not have the money, and
only ``inquire`` with the same key will tell. Money can also be held first (an authorisation) and taken later, by a
capture.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol
from uuid import UUID

from contracts._base import Event, Listener, Money, Overseen, Ref, Rejected

# --- Values ---------------------------------------------------------------------------------------------------------

AUTHORIZED = "authorized"
CAPTURED = "captured"
PENDING = "pending"
UNKNOWN = "unknown"
FAILED = "failed"
VOIDED = "voided"
REFUNDED = "refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """
    One charge for one order.

    ``status``: pending (the provider settles later and will say so), unknown (nobody can say yet), authorized (held,
    not taken), captured, failed (``reason`` says why), voided (nothing was taken), refunded (all of it was given back).
    """

    id: UUID
    order_id: UUID
    amount: Money
    status: str
    reason: str | None
    refunded: Money
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money given back of a captured payment. ``done`` is false while the provider has not said that it is."""

    id: UUID
    payment_id: UUID
    amount: Money
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMoment:
    """
    Something that happened to an order's payment: an attempt, a capture, a refund. ``trace_id``: in which trace (W3C
    Trace Context).
    """

    at: datetime
    kind: str
    detail: str
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementAudit:
    """Money that moved, as our books have it. Its ``kind``, capture or refund, and ``reference`` name it there."""

    reference: str
    kind: str
    amount: Money
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAudit:
    """
    One payment as V1 to V3, V8 and V12 read it: our books beside the provider's. Counts are of movements.

    ``provider_*`` is None where the provider was not asked or could not answer. ``uneven`` counts the ledger entries
    whose debits and credits differ; ``held`` is what the ledger says the provider holds for us of this payment.
    ``movements`` are those that have to stand in the list of the provider in use (``provider_entries``).
    """

    payment_id: UUID
    order_id: UUID
    status: str
    amount: Money
    captures: int
    captured: Money
    refunds: int
    refunded: Money
    provider_captured: Money | None
    provider_refunded: Money | None
    debits: Money
    credits: Money
    uneven: int
    held: Money
    updated_at: datetime
    movements: tuple[MovementAudit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuditPage:
    items: tuple[PaymentAudit, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEntry:
    """
    Money that moved, as the provider's own list has it. ``kind`` is capture or refund, ``key`` the one of ours that
    the provider keeps with it (empty where it keeps none), ``made_at`` the provider's time.

    ``booked`` is our amount of the same movement; None where our books do not have it.
    """

    reference: str
    key: str
    kind: str
    amount: Money
    made_at: datetime
    booked: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEntryPage:
    items: tuple[ProviderEntry, ...]
    next: str | None


# --- Errors ---------------------------------------------------------------------------------------------------------


class PaymentDeclined(Rejected):
    """The payment was declined. No money was taken."""

    code: ClassVar[str] = "payment_declined"


class InsufficientFunds(Rejected):
    """The payment was declined for lack of funds. No money was taken."""

    code: ClassVar[str] = "insufficient_funds"


class ChargeFailed(Rejected):
    """The payment was accepted at first and failed when it was settled. No money was taken."""

    code: ClassVar[str] = "payment_failed"


class PaymentClosed(Rejected):
    """This payment was undone, or what was held has lapsed, so it cannot be charged."""

    code: ClassVar[str] = "payment_closed"


class PaymentUnknown(Rejected):
    """There is no payment with this key."""

    code: ClassVar[str] = "payment_unknown"


class RefundTooLarge(Rejected):
    """
    This is more than is left of the payment.

    ``data["left"]`` says how much is.
    """

    code: ClassVar[str] = "refund_too_large"


# --- Events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _PaymentEvent(Event):
    exchange: ClassVar[str] = "payments"
    payment_id: UUID
    order_id: UUID
    amount: Money

    @property
    def subject(self) -> str:
        return str(self.payment_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorized(_PaymentEvent):
    name: ClassVar[str] = "PaymentAuthorized"
    routing_key: ClassVar[str] = "payment.authorized"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured(_PaymentEvent):
    name: ClassVar[str] = "PaymentCaptured"
    routing_key: ClassVar[str] = "payment.captured"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed(_PaymentEvent):
    name: ClassVar[str] = "PaymentFailed"
    routing_key: ClassVar[str] = "payment.failed"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentVoided(_PaymentEvent):
    name: ClassVar[str] = "PaymentVoided"
    routing_key: ClassVar[str] = "payment.voided"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded(_PaymentEvent):
    """``amount`` is what this refund gave back, not the payment's whole amount."""

    name: ClassVar[str] = "PaymentRefunded"
    routing_key: ClassVar[str] = "payment.refunded"
    refund_id: UUID


# --- Promise --------------------------------------------------------------------------------------------------------


class PaymentService(Listener, Overseen, Protocol):
    def charge(
        self, *, key: str, order_id: UUID, user_id: UUID, amount: Money, method: str, capture: bool = True
    ) -> Payment:
        """
        Take the money once for this key, or with ``capture=False`` only hold it. Answers captured (held: authorized),
        pending or unknown.

        Raises PaymentDeclined, InsufficientFunds, ChargeFailed, PaymentClosed. After Unavailable the money may have
        been taken: charge again with the same key, or inquire.
        """
        ...

    def capture(self, *, key: str) -> Payment:
        """
        Take what the charge with this key holds, once. Answers captured, also where it was before, pending or unknown:
        then ask again.

        Raises PaymentUnknown where no such charge was begun, and PaymentClosed where it was undone or the provider has
        let the authorisation lapse: the payment is voided then. Raises as charge does where it was declined. After
        Unavailable the money may have been taken.
        """
        ...

    def inquire(self, *, key: str) -> Payment:
        """
        What became of the charge with this key, asking the provider where we do not know.

        Raises as charge does where the answer is a definite no, and PaymentUnknown where no such charge was begun.
        """
        ...

    def void(self, *, key: str, order_id: UUID) -> Payment:
        """
        Undo the charge with this key, so that it nets zero: cancel what is open or held, refund what was captured.

        Leaves a mark where no charge was begun, so that one that comes late is refused (PaymentClosed). Answers
        ``unknown``, ``pending`` or ``captured`` while the provider cannot say or do it: ask again with the same key.
        Money that the provider takes all the same, however late, is given back in full without being asked for.
        """
        ...

    def refund(self, *, key: str, charge_key: str, amount: Money, reason: str) -> Refund:
        """
        Give back part or all of the charge with that key, once for this key.

        The same key gives the same refund again. Raises PaymentUnknown, RefundTooLarge. Where ``done`` is false, or
        after Unavailable, it is on its way and is tried until it is done.
        """
        ...

    def history(self, *, order_id: UUID) -> tuple[PaymentMoment, ...]:
        """What happened to this order's money, in order of time. Changes nothing."""
        ...

    def audit(self, *, after: str | None, limit: int) -> PaymentAuditPage:
        """Our books and the provider's for up to ``limit`` payments after that one. Changes nothing."""
        ...

    def provider_entries(self, *, after: str | None, limit: int) -> ProviderEntryPage:
        """
        The provider's own list of the money it moved, each entry beside what we have booked of it: up to ``limit`` of
        them, fewer where the provider gives fewer at a time, from where ``next`` of the page before left off. Changes
        nothing. Raises Unavailable where the provider does not answer.
        """
        ...


PAYMENTS = Ref[PaymentService]("payments")
