from __future__ import annotations

from typing import ClassVar

from django.db import models

from runtime.databases.clock import Now


class StreamEvent(models.Model):
    """One fact of one stream. Versions of a stream are 1, 2, 3 and so on; the running role cannot change a row."""

    append_only = True

    pk = models.CompositePrimaryKey("stream", "version")
    stream = models.UUIDField()
    version = models.PositiveIntegerField()
    event_type = models.TextField()
    schema_version = models.PositiveSmallIntegerField()
    data = models.JSONField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(version__gte=1), name="stream_versions_start_at_one"),
        ]
