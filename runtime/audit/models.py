from __future__ import annotations

from typing import ClassVar

from django.db import models

from contracts._base import new_id
from runtime.databases.clock import Now


class AuditEntry(models.Model):
    """
    One thing that an operator did and that was done. ``operator`` is a user's id; ``key`` comes of the form's, so that
    what was sent twice is written down once. ``before`` and ``after`` are what it was about, and what it became.
    """

    append_only = True

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(db_default=Now())
    operator = models.UUIDField()
    action = models.TextField()
    object_type = models.TextField()
    object_id = models.TextField()
    reason = models.TextField()
    before = models.JSONField()
    after = models.JSONField()
    key = models.UUIDField(unique=True)
    request_id = models.TextField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["object_type", "object_id", "id"], name="audit_by_object"),
            models.Index(fields=["operator", "id"], name="audit_by_operator"),
        ]
