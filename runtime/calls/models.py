from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from runtime.databases.clock import Now


class Fence(models.Model):
    """The latest holder of a lease that has called this domain. An older one is turned away."""

    lease = models.UUIDField(primary_key=True)
    epoch = models.PositiveIntegerField()
    passed_at = models.DateTimeField(db_default=Now())

    class Meta:
        # Only pruning asks by age, and rows stand in about that order: each call would pay for a B-tree.
        indexes: ClassVar = [BrinIndex(fields=["passed_at"], name="fence_passed")]
