"""
Processes that stopped because a person has to look, and the two ways on: try again, or undo all.

Both are decisions of a person with a reason, written down in the transaction of the deed. Neither guesses: a step is
tried or undone under the keys it always had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from contracts._base import Rejected
from runtime.audit.store import Decision, Deed, write
from runtime.databases.clock import Now
from runtime.saga.definition import UnknownSaga, definition_of
from runtime.saga.models import SagaRun

BY_OPERATOR = {"code": "operator", "detail": "An operator had it undone.", "data": {}}
"""Why a process turned back that was not refused: what its end is told."""


class NotStuck(Rejected):
    """There is no process of this id that needs attention: it goes on, has ended, or never was one."""

    code = "not_stuck"


class NothingToUndo(Rejected):
    """This process can only go forward: nothing of it can be undone. Have it tried again instead."""

    code = "nothing_to_undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What goes on: ``step`` is the one that is tried, or undone, first."""

    id: UUID
    definition: str
    subject: UUID
    step: str
    state: str


def stuck(*, using: str) -> QuerySet[SagaRun]:
    """The processes that need attention, the longest stuck first."""
    return SagaRun.objects.using(using).filter(state=SagaRun.NEEDS_ATTENTION).order_by("updated_at", "id")


def unended(subjects: Sequence[UUID], *, using: str) -> list[SagaRun]:
    """The processes of these subjects that go on, or that need attention, in order of time."""
    ended = (SagaRun.COMPLETED, SagaRun.COMPENSATED)
    rows = SagaRun.objects.using(using).filter(subject__in=list(subjects)).exclude(state__in=ended)
    return list(rows.order_by("created_at", "id"))


def retry(run_id: UUID, decision: Decision | None, *, using: str) -> Resumed:
    """
    Have the step that it stopped at tried again, in the direction it was going. Raises NotStuck.

    Said twice, it goes on once: the second time it is stuck no longer. None for ``decision``: the caller writes the
    audit row.
    """
    with transaction.atomic(using=using):
        run = _locked(run_id, using=using)
        state = SagaRun.RUNNING if run.refusal is None else SagaRun.COMPENSATING
        return _go_on(run, decision, "retry_process", state=state, refusal=run.refusal, using=using)


def compensate(run_id: UUID, decision: Decision | None, *, using: str) -> Resumed:
    """
    Have all of it undone, the step that it stopped at first. Raises NotStuck, NothingToUndo.

    Where it was being undone already, that is tried again.
    """
    with transaction.atomic(using=using):
        run = _locked(run_id, using=using)
        if not can_be_undone(run):
            raise NothingToUndo(definition=run.definition)
        if run.refusal is None:
            run.step = definition_of(run.definition, run.version).furthest(step=run.step, data=run.data)
        refusal = run.refusal or BY_OPERATOR
        return _go_on(run, decision, "undo_process", state=SagaRun.COMPENSATING, refusal=refusal, using=using)


def can_be_undone(run: SagaRun) -> bool:
    """Whether ``compensate`` leads to an end that is legal for this process, as far as this code knows it."""
    try:
        saga = definition_of(run.definition, run.version)
        return saga.can_be_given_up or not saga.only_forward()
    except UnknownSaga:
        return False


def step_of(run: SagaRun) -> str:
    """The name of the step a run stands at; its position where this code does not know the process."""
    try:
        steps = definition_of(run.definition, run.version).steps
    except UnknownSaga:
        return str(run.step)
    return steps[run.step].name if run.step < len(steps) else "(the end)"


def facts_of(run: SagaRun) -> dict[str, Any]:
    """What an audit row says of it, as plain JSON."""
    return {"process": run.definition, "step": step_of(run), "error": run.error}


def _locked(run_id: UUID, *, using: str) -> SagaRun:
    rows = SagaRun.objects.using(using).select_for_update()
    run = rows.filter(pk=run_id, state=SagaRun.NEEDS_ATTENTION).first()
    if run is None:
        raise NotStuck(id=str(run_id))
    return run


def _go_on(
    run: SagaRun, decision: Decision | None, verb: str, *, state: str, refusal: dict[str, Any] | None, using: str
) -> Resumed:
    # A later epoch: whoever held it when it stopped can change nothing any more.
    SagaRun.objects.using(using).filter(pk=run.pk).update(
        state=state,
        step=run.step,
        refusal=refusal,
        inquiring=run.inquiring and state == SagaRun.RUNNING,
        epoch=F("epoch") + 1,
        attempts=0,
        error=None,
        lease_until=None,
        step_at=Now(),
        due_at=Now(),
        updated_at=Now(),
    )
    if decision is not None:
        deed = Deed(
            action=f"{using}.{verb}",
            object_type="sagarun",
            object_id=str(run.pk),
            reason=decision.reason,
            before=facts_of(run),
            after={"state": state},
        )
        write(deed, operator=decision.operator, key=decision.key, using=using)
    return Resumed(id=run.pk, definition=run.definition, subject=run.subject, step=step_of(run), state=state)
