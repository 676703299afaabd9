"""The outbox, the inbox and the counters behind them: one of each in every domain's schema."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from runtime.databases.clock import Now


class OutboxMessage(models.Model):
    """
    An event that became true, waiting to be told or told already. Rows stay after publishing: what a broker lost can
    be sent again. An event that nobody subscribes to is kept as ``unsent`` (published_at empty, wanted false).

    While ``due_at`` lies ahead, a relay has claimed the row or is to try it later. ``settled_at`` is when every
    subscriber was found to have it, ``resent`` how often the reconciler had it sent again.
    """

    event_id = models.UUIDField(primary_key=True)
    event_type = models.TextField()
    version = models.PositiveSmallIntegerField()
    exchange = models.TextField()
    routing_key = models.TextField()
    subject = models.TextField()
    sequence = models.PositiveBigIntegerField()
    traceparent = models.TextField(null=True)
    data = models.JSONField()
    wanted = models.BooleanField()
    created_at = models.DateTimeField(db_default=Now())
    published_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    resent = models.PositiveIntegerField(db_default=0)
    attempts = models.PositiveIntegerField(db_default=0)
    due_at = models.DateTimeField(db_default=Now())
    error = models.TextField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["subject", "sequence"], name="outbox_sequence_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["created_at"],
                name="outbox_waiting",
                condition=models.Q(published_at__isnull=True, wanted=True),
            ),
            models.Index(
                fields=["published_at"],
                name="outbox_unsettled",
                condition=models.Q(published_at__isnull=False, settled_at__isnull=True),
            ),
        ]


class EventCounter(models.Model):
    """The last sequence given to an aggregate's events. Its row lock makes sequences gapless and in commit order."""

    subject = models.TextField(primary_key=True)
    last = models.PositiveBigIntegerField()


class InboxMessage(models.Model):
    """
    An event that reached a consumer. ``handled_at`` is set in the transaction of the effect, so it happens once.

    ``attempts`` is counted before each run, in a transaction of its own: a handler that kills its process is counted.
    ``after`` is the sequence of the event of this subject that the consumer has to have handled before. A row without
    ``due_at`` waits for that one. A parked row (``parked_at``) waits for a person, and the later ones wait with it.
    """

    event_id = models.UUIDField(primary_key=True)
    event_type = models.TextField()
    source = models.TextField()
    subject = models.TextField()
    sequence = models.PositiveBigIntegerField()
    after = models.PositiveBigIntegerField(null=True)
    envelope = models.JSONField()
    received_at = models.DateTimeField(db_default=Now())
    handled_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    discarded_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(db_default=0)
    due_at = models.DateTimeField(null=True, db_default=Now())
    error = models.TextField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                name="inbox_due",
                condition=models.Q(handled_at__isnull=True, parked_at__isnull=True),
            ),
            models.Index(
                fields=["source", "subject", "sequence"],
                name="inbox_open",
                condition=models.Q(handled_at__isnull=True),
            ),
            models.Index(fields=["parked_at"], name="inbox_parked", condition=models.Q(parked_at__isnull=False)),
        ]


class InboxPosition(models.Model):
    """How far a consumer has come with an aggregate. Its row lock lets one event of an aggregate run at a time."""

    pk = models.CompositePrimaryKey("source", "subject")
    source = models.TextField()
    subject = models.TextField()
    last = models.PositiveBigIntegerField()
