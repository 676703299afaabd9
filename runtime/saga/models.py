from __future__ import annotations

from typing import ClassVar

from django.db import models

from runtime.databases.clock import Now


class SagaRun(models.Model):
    """
    One run of a process. ``epoch`` counts its holders; a write under an older epoch is refused.

    ``step`` is the step to do next, or to undo next while compensating; ``inquiring`` says that its outcome is open.
    ``step_at`` is when that step was first come to. ``traceparent`` is the trace in which the process was started.
    """

    RUNNING = "running"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    NEEDS_ATTENTION = "needs_attention"
    UNFINISHED = (RUNNING, COMPENSATING)

    id = models.UUIDField(primary_key=True)
    definition = models.TextField()
    version = models.PositiveSmallIntegerField()
    subject = models.UUIDField()
    state = models.TextField()
    step = models.PositiveSmallIntegerField(db_default=0)
    inquiring = models.BooleanField(db_default=False)
    data = models.JSONField()
    log = models.JSONField(db_default=models.Value([], output_field=models.JSONField()))
    refusal = models.JSONField(null=True)
    epoch = models.PositiveIntegerField(db_default=1)
    lease_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField(db_default=Now())
    deadline_at = models.DateTimeField(null=True)
    step_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveIntegerField(db_default=0)
    error = models.TextField(null=True)
    traceparent = models.CharField(max_length=55, null=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["definition", "subject"], name="saga_once_for_each_subject"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                name="saga_due",
                condition=models.Q(state__in=("running", "compensating")),
            ),
            models.Index(
                fields=["updated_at"],
                name="saga_needs_attention",
                condition=models.Q(state="needs_attention"),
            ),
        ]
