from __future__ import annotations

from django.db import models

from runtime.databases.clock import Now


class DynamicValue(models.Model):
    """
    A value that was changed while everything ran, as text; None where it is back at its default.

    ``version`` counts the changes of all values, and is that of the last change of this one. Who changed it, and from
    what, is in the audit.
    """

    key = models.TextField(primary_key=True)
    text = models.TextField(null=True)
    version = models.BigIntegerField(db_default=0)
    changed_at = models.DateTimeField(db_default=Now())
