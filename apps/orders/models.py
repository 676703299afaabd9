"""The read model of orders, written in the transaction that appends to the stream; and what is kept beside it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from contracts import orders as contract
from contracts._base import Money
from runtime.codec import from_plain
from runtime.databases.clock import Now


class Order(models.Model):
    """What the stream says, folded. ``version`` is the stream's version that it shows."""

    id = models.UUIDField(primary_key=True)
    user_id = models.UUIDField()
    items = models.JSONField()
    total = models.DecimalField(max_digits=20, decimal_places=2)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16)
    reason = models.CharField(max_length=64, null=True)
    skus = models.JSONField(default=list)
    returns = models.JSONField(default=list)
    version = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user_id", "id"], name="order_by_user"),
            models.Index(fields=["status", "id"], name="order_by_status"),
        ]

    @property
    def lines(self) -> tuple[contract.OrderLine, ...]:
        lines: tuple[contract.OrderLine, ...] = from_plain(self.items, tuple[contract.OrderLine, ...])
        return lines

    @property
    def returned(self) -> tuple[contract.OrderReturned, ...]:
        returns: tuple[contract.OrderReturned, ...] = from_plain(self.returns, tuple[contract.OrderReturned, ...])
        return returns

    @property
    def total_amount(self) -> Money:
        return Money(self.total, self.currency)


class OrderKey(models.Model):
    """The Idempotency-Key an order was placed under: scoped to who placed it, kept as long as the order."""

    id = models.BigAutoField(primary_key=True)
    principal = models.UUIDField()
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    order_id = models.UUIDField(unique=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["principal", "key"], name="order_once_for_each_key"),
        ]


class OrderRefund(models.Model):
    """Money given back on an order, booked once for each refund."""

    refund_id = models.UUIDField(primary_key=True)
    order_id = models.UUIDField(db_index=True)
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    booked_at = models.DateTimeField(db_default=Now())


class OrderNote(models.Model):
    """Free text of people, kept beside the stream and never in it, so that it can be forgotten."""

    id = models.BigAutoField(primary_key=True)
    order_id = models.UUIDField(db_index=True)
    kind = models.CharField(max_length=16)
    text = models.TextField()
    written_at = models.DateTimeField(db_default=Now())


class ForgottenUser(models.Model):
    """Somebody who was erased: nothing is written about them any more, also by a request that is still under way."""

    user_id = models.UUIDField(primary_key=True)
    forgotten_at = models.DateTimeField(db_default=Now())
