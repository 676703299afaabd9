"""The rows behind the runs: started, claimed, saved under their epoch, found when due."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from django.db.models import Q

from contracts._base import new_id
from runtime.databases.clock import Now
from runtime.saga.counting import count_run
from runtime.saga.definition import MAY_BE_FURTHER, Saga
from runtime.saga.models import SagaRun
from runtime.saga.run import LeaseLost, Run
from runtime.telemetry.tracing import current_traceparent

LEASE = timedelta(seconds=20)
"""Longer than any inline budget: only a holder that is gone, or asleep, loses it."""

_START = """
INSERT INTO saga_sagarun (id, definition, version, subject, state, data, lease_until, deadline_at, traceparent)
VALUES (%s, %s, %s, %s, 'running', %s::jsonb, clock_now() + %s, clock_now() + %s, %s)
ON CONFLICT (definition, subject) DO NOTHING
RETURNING id, lease_until, deadline_at, due_at, clock_now()
"""

# A lease that was not given back: its holder may have come further than he had written down when he died.
_CLAIM = f"""
UPDATE saga_sagarun
SET epoch = epoch + 1, lease_until = clock_now() + %(lease)s,
    data = CASE WHEN lease_until IS NULL THEN data ELSE data || '{{"{MAY_BE_FURTHER}": true}}' END
WHERE id = %(id)s AND epoch = coalesce(%(after)s, epoch) AND state IN ('running', 'compensating')
      AND (lease_until IS NULL OR lease_until <= clock_now())
RETURNING id, definition, version, subject, state, step, inquiring, data, log, refusal, epoch, lease_until,
          deadline_at, step_at, attempts, due_at, error, traceparent, clock_now() AS read_at
"""

_SAVE = """
UPDATE saga_sagarun
SET state = %(state)s, step = %(step)s, step_at = %(step_at)s, inquiring = %(inquiring)s,
    data = %(data)s::jsonb, log = %(log)s::jsonb, refusal = %(refusal)s::jsonb, attempts = %(attempts)s,
    error = %(error)s, due_at = clock_now() + %(wait)s, updated_at = clock_now(), lease_until = %(lease_until)s
WHERE id = %(id)s AND epoch = %(epoch)s
"""

_WAKE = """
UPDATE saga_sagarun SET due_at = clock_now()
WHERE definition = %s AND subject = %s AND state IN ('running', 'compensating')
"""

_TAKE = """
UPDATE saga_sagarun SET due_at = clock_now() + %s WHERE id = ANY(%s) AND due_at <= clock_now() RETURNING id, epoch
"""


class StartedOutsideTransaction(RuntimeError):
    """A process is started in the transaction of what it is about, so that neither is there without the other."""


def start(saga: type[Saga], *, subject: UUID, data: dict[str, Any]) -> Run | None:
    """
    Begin a process for this subject, inside the caller's transaction and in the caller's hands.

    None where it was begun before: there is one run for each subject. ``data`` is plain JSON.
    """
    if not connections[saga.domain].in_atomic_block:
        raise StartedOutsideTransaction(f"{saga.name} of {subject} was started outside of a transaction")
    trace = current_traceparent()
    deadline = None if saga.deadline is None else timedelta(seconds=saga.deadline)
    with connections[saga.domain].cursor() as cursor:
        told: list[Any] = [new_id(), saga.name, saga.version, subject, json.dumps(data), LEASE, deadline, trace]
        cursor.execute(_START, told)
        row = cursor.fetchone()
    if row is None:
        return None
    transaction.on_commit(partial(count_run, saga.name, "started"), using=saga.domain, robust=True)
    return Run(
        id=row[0],
        definition=saga.name,
        version=saga.version,
        subject=subject,
        state=SagaRun.RUNNING,
        step=0,
        inquiring=False,
        data=data,
        log=[],
        refusal=None,
        epoch=1,
        lease_until=row[1],
        deadline_at=row[2],
        step_at=row[4],
        attempts=0,
        due_at=row[3],
        traceparent=trace,
        read_at=row[4],
    )


def claim(run_id: UUID, *, using: str, after: int | None = None) -> Run | None:
    """
    Take over a run that nobody holds. None where somebody does, or it has ended; or where its last holder was another
    one than ``after``: then whoever asks for this has heard of it too late.
    """
    with connections[using].cursor() as cursor:
        told: dict[str, Any] = {"lease": LEASE, "id": run_id, "after": after}
        cursor.execute(_CLAIM, told)
        row = cursor.fetchone()
        if row is None:
            return None
        values = {column.name: value for column, value in zip(cursor.description, row, strict=True)}
    for name in ("data", "log", "refusal"):
        if isinstance(values[name], str):
            values[name] = json.loads(values[name])
    return Run(**values)


def save(run: Run, *, using: str, wait: float = 0.0, release: bool = True) -> None:
    """
    Write down where the run stands, to be looked at again in ``wait`` seconds. Raises LeaseLost.

    ``release`` gives the lease back; without it the holder goes on.
    """
    parameters: dict[str, Any] = {
        "id": run.id,
        "epoch": run.epoch,
        "state": run.state,
        "step": run.step,
        "step_at": run.step_at,
        "inquiring": run.inquiring,
        "data": json.dumps(run.data),
        "log": json.dumps(run.log),
        "refusal": None if run.refusal is None else json.dumps(run.refusal),
        "attempts": run.attempts,
        "error": run.error,
        "wait": timedelta(seconds=wait),
        "lease_until": None if release else run.lease_until,
    }
    with connections[using].cursor() as cursor:
        cursor.execute(_SAVE, parameters)
        if cursor.rowcount != 1:
            raise LeaseLost(f"{run.definition} of {run.subject} is held by somebody else since epoch {run.epoch}")


def wake(saga: type[Saga], *, subject: UUID) -> None:
    """Have a run looked at now: what it waits for may have happened. Quiet where there is none."""
    with connections[saga.domain].cursor() as cursor:
        cursor.execute(_WAKE, [saga.name, subject])


def take_due(*, using: str, limit: int, nudge_again: timedelta) -> list[tuple[UUID, int]]:
    """
    Runs that are due and that nobody holds, the longest due first, each with the epoch of its last holder. Each is not
    due again for a while: whoever is nudged claims it.
    """
    free = Q(lease_until=None) | Q(lease_until__lte=Now())
    due = (
        SagaRun.objects.using(using)
        .filter(free, state__in=SagaRun.UNFINISHED, due_at__lte=Now())
        .order_by("due_at", "id")
        .values_list("id", flat=True)[:limit]
    )
    with connections[using].cursor() as cursor:
        parameters: list[Any] = [nudge_again, list(due)]
        cursor.execute(_TAKE, parameters)
        epochs = dict(cursor.fetchall())
    return [(run_id, epochs[run_id]) for run_id in parameters[1] if run_id in epochs]


def unfinished_subjects(subjects: list[UUID], *, using: str) -> frozenset[UUID]:
    """Those of these subjects that some process is still working on, or that need attention."""
    ended = (SagaRun.COMPLETED, SagaRun.COMPENSATED)
    rows = SagaRun.objects.using(using).filter(subject__in=subjects).exclude(state__in=ended)
    return frozenset(rows.values_list("subject", flat=True))


def logs_of(subjects: Sequence[UUID], *, using: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """The definition and the noted tries of each run of these subjects."""
    rows = SagaRun.objects.using(using).filter(subject__in=list(subjects)).order_by("created_at")
    return list(rows.values_list("definition", "log"))
