"""Tables of payments, and the books of the sandbox, which stands for a provider outside."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models

from contracts import payments as contract
from contracts._base import Money, new_id
from runtime.databases.clock import Now
from runtime.telemetry.tracing import current_trace_id


class Payment(models.Model):
    """
    One charge, made once for its key. ``intent`` is what is wanted of it: held (hold), taken (charge) or undone (void).

    The intent is committed before the provider is asked, and the answer after; ``processing`` in between says that
    the provider may have been asked. ``reference`` is the provider's name of the charge, and is there before any money
    can move; ``held_first`` says that taking it is a question of its own. ``look_at`` is when the provider is asked
    once more about a payment that has ended: it may have changed its mind.
    """

    PROCESSING = "processing"
    OPEN = (PROCESSING, contract.UNKNOWN, contract.PENDING)

    HOLD = "hold"
    CHARGE = "charge"
    VOID = "void"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.CharField(max_length=255, unique=True)
    order_id = models.UUIDField(db_index=True)
    user_id = models.UUIDField(null=True)
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    currency = models.CharField(max_length=3)
    method = models.CharField(max_length=255)
    provider = models.CharField(max_length=32)
    reference = models.CharField(max_length=300, blank=True, default="", db_default="")
    held_first = models.BooleanField(default=False, db_default=False)
    intent = models.CharField(max_length=8, default=CHARGE)
    status = models.CharField(max_length=16, default=PROCESSING)
    reason = models.CharField(max_length=64, null=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    look_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["look_at"], name="payment_to_look_at", condition=models.Q(look_at__isnull=False)),
        ]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class Movement(models.Model):
    """Money that moved at the provider: a capture or a refund. Rows are only ever added, one for each key."""

    append_only = True

    CAPTURE = "capture"
    REFUND = "refund"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=8)
    key = models.CharField(max_length=300, unique=True)
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    reference = models.CharField(max_length=255)
    trace_id = models.CharField(max_length=32, null=True, default=current_trace_id)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(amount__gt=Decimal(0)), name="movement_amount_positive"),
        ]


class LedgerLine(models.Model):
    """
    One side of a movement in the double-entry ledger. A deferred trigger of the database refuses a movement whose
    debits and credits differ when its transaction ends. Rows are only ever added.
    """

    append_only = True

    AT_PROVIDER = "provider"
    """What the provider holds for us: an asset, so a debit is more of it."""
    CUSTOMERS = "customers"
    """What customers have paid us: a credit is more of it."""

    id = models.BigAutoField(primary_key=True)
    movement = models.ForeignKey(Movement, on_delete=models.PROTECT, related_name="ledger")
    account = models.CharField(max_length=16)
    debit = models.DecimalField(max_digits=20, decimal_places=2, default=Decimal(0))
    credit = models.DecimalField(max_digits=20, decimal_places=2, default=Decimal(0))

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(models.Q(debit__gt=0, credit=0) | models.Q(debit=0, credit__gt=0)),
                name="ledger_line_has_one_side",
            ),
        ]


class Refund(models.Model):
    """
    Money that is to be given back, once for its key. Written down before the provider is asked, so that what is
    on its way counts against what is left; asked again when due, until it is done.

    ``tries`` counts how often it was due again, ``number`` how often the provider has refused it for good: the next
    try goes under a new key. ``due_at`` is null where a person has to look first.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    key = models.CharField(max_length=300, unique=True)
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    reason = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(null=True, db_default=Now())
    tries = models.PositiveIntegerField(default=0, db_default=0)
    number = models.PositiveIntegerField(default=0, db_default=0)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(amount__gt=Decimal(0)), name="refund_amount_positive"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="refund_owed", condition=models.Q(done_at__isnull=True)),
        ]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.payment.currency)


class Attempt(models.Model):
    """One question to the provider and what came of it: written before it is asked, completed after."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="attempts")
    action = models.CharField(max_length=16)
    outcome = models.CharField(max_length=32, null=True)
    trace_id = models.CharField(max_length=32, null=True, default=current_trace_id)
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)


class WebhookReceipt(models.Model):
    """A provider's message that was taken in. The same one again does nothing."""

    provider = models.CharField(max_length=32)
    event_id = models.CharField(max_length=255)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="webhook_taken_in_once"),
        ]


# --- The sandbox's own books: nothing but apps/payments/sandbox.py reads or writes them -----------------------------


class SandboxCharge(models.Model):
    key = models.CharField(max_length=255, primary_key=True)
    method = models.CharField(max_length=255)
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=16)
    reason = models.CharField(max_length=64, null=True)
    settles_at = models.DateTimeField(null=True)
    settles_as = models.CharField(max_length=16, null=True)
    captured_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())


class SandboxRefund(models.Model):
    key = models.CharField(max_length=255, primary_key=True)
    charge = models.ForeignKey(SandboxCharge, on_delete=models.PROTECT, related_name="refunds")
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    created_at = models.DateTimeField(db_default=Now())


class SandboxWebhook(models.Model):
    """A message that the sandbox owes its customer, sent when it is due and again until it is taken."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payload = models.JSONField()
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="webhook_owed", condition=models.Q(delivered_at__isnull=True)),
        ]
