"""One row per key that a client sent, in the schema of the domain that did what was asked."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from runtime.databases.clock import Now

RUNNING = "running"
DONE = "done"


class IdempotencyKey(models.Model):
    """
    A key belongs to one caller and one route: another caller's equal key is another row.

    ``attempt`` counts who ran it: a run that slept past its lease and was taken over can no longer write its answer.
    """

    principal = models.TextField()
    route = models.TextField()
    key = models.TextField()
    fingerprint = models.TextField()
    state = models.TextField(db_default=RUNNING)
    attempt = models.PositiveIntegerField(db_default=1)
    lease_until = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(null=True)
    body = models.TextField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["principal", "route", "key"], name="idempotency_key_once"),
            models.CheckConstraint(condition=models.Q(state__in=[RUNNING, DONE]), name="idempotency_state_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_age")]
