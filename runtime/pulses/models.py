from __future__ import annotations

from django.db import models

from contracts._base import new_id
from runtime.databases.clock import Now


class Pulse(models.Model):
    """
    One process that works for this domain: a worker or a relay, and when it was last heard of.

    ``ailment`` is what keeps it from its work, by the name that the runbook has for it; null where nothing does.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    role = models.TextField()
    host = models.TextField()
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    beaten_at = models.DateTimeField(db_default=Now())
    ailment = models.TextField(null=True)
    said = models.TextField(db_default="")
    ails_since = models.DateTimeField(null=True)
