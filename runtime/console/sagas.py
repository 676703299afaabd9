"""Processes as an operator sees them: what was tried, and for one that is stuck the two ways on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from runtime.console.actions import Action
from runtime.console.forms import ActionForm, text
from runtime.saga import attention
from runtime.saga.models import SagaRun

__all__ = ["Compensate", "Retry"]


class _Reason(ActionForm):
    reason = text("Reason", longest=200, help_text="Say, what was mended, or why it is given up.")


class _Decision(Action[SagaRun]):
    form = _Reason
    permission: ClassVar[str]

    def __init__(self, domain: str) -> None:
        self.permission = f"{domain}.decide_processes"  # type: ignore[misc]  # each domain's own

    def is_legal(self, row: SagaRun) -> bool:
        return row.state == SagaRun.NEEDS_ATTENTION

    def facts(self, row: SagaRun) -> Mapping[str, Any]:
        return attention.facts_of(row)


class Retry(_Decision):
    name = "retry-process"
    title = "Try again"
    icon = "replay"

    def preview(self, row: SagaRun) -> Sequence[str]:
        way = "tried" if row.refusal is None else "undone"
        return (
            f"{attention.step_of(row)} is {way} again, under the key it always had: what was done is not done twice.",
            "Where it fails again, the process comes back here.",
        )

    def run(self, row: SagaRun, given: Mapping[str, Any], *, key: str) -> str:
        done = attention.retry(row.pk, None, using=row._meta.app_label)
        return f"{done.definition} goes on at {done.step} within a second."


class Compensate(_Decision):
    name = "undo-process"
    title = "Undo all"
    icon = "undo"
    dangerous = True

    def is_legal(self, row: SagaRun) -> bool:
        return super().is_legal(row) and attention.can_be_undone(row)

    def preview(self, row: SagaRun) -> Sequence[str]:
        return (
            f"{attention.step_of(row)} is undone, and then each step before it: money and stock go back.",
            "The process then ends as one that was refused. This cannot be taken back.",
        )

    def run(self, row: SagaRun, given: Mapping[str, Any], *, key: str) -> str:
        done = attention.compensate(row.pk, None, using=row._meta.app_label)
        return f"{done.definition} is being undone, from {done.step} backwards."
