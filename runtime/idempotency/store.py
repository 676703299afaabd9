"""
Who may run under a key, and what the first run answered. Leases go by the database's clock.

A key is begun before the work and finished after it. The work carries ``Run.operation`` as its own key, since a run
that died after its effect is begun again when its lease has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import connections
from django.db.models import F

from runtime.databases.clock import Now
from runtime.idempotency.models import DONE, RUNNING, IdempotencyKey

__all__ = ["Answer", "KeyReused", "Run", "StillRunning", "begin", "finish", "forget_answers", "free", "prune"]

LEASE_SECONDS = 60
"""Longer than any request may take: a lease that ends under a live run would let a second one begin."""

KEPT_HOURS = 48
"""Twice what is promised."""


class StillRunning(Exception):
    """The first request with this key has not been answered yet."""


class KeyReused(Exception):
    """This key was used before, for something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The right to do the work once. ``operation`` is the same for every run of this caller, route and key."""

    id: int
    attempt: int
    operation: UUID
    using: str


# The row that was there stays as it is, and the count says whether ours went in. (Catching the unique violation instead
# would abort the transaction around it.)
_INSERT = """
INSERT INTO idempotency_idempotencykey (principal, route, key, fingerprint, lease_until)
VALUES (%s, %s, %s, %s, clock_now() + make_interval(secs => %s))
ON CONFLICT (principal, route, key) DO NOTHING
RETURNING id
"""


def begin(*, using: str, principal: str, route: str, key: str, fingerprint: str) -> Run | Answer:
    """
    The right to run, or what the first run answered. Raises StillRunning, KeyReused.

    A run whose lease has ended is taken over: it died, or cannot write its answer any more.
    """
    operation = uuid5(NAMESPACE_URL, "\n".join((principal, route, key)))
    with connections[using].cursor() as cursor:
        cursor.execute(_INSERT, [principal, route, key, fingerprint, LEASE_SECONDS])
        inserted = cursor.fetchone()
    if inserted:
        return Run(id=inserted[0], attempt=1, operation=operation, using=using)
    row = IdempotencyKey.objects.using(using).filter(principal=principal, route=route, key=key).first()
    if row is None:  # freed between the two statements: whoever freed it has just been answered
        raise StillRunning
    if row.fingerprint != fingerprint:
        raise KeyReused
    if row.state == DONE:
        return _answer(row)
    return _take_over(row, operation, using)


def finish(run: Run, answer: Answer) -> bool:
    """
    Keep the answer. False where the run was taken over meanwhile: then the other run's answer is the one that counts.
    """
    kept = _mine(run).update(
        state=DONE, status=answer.status, headers=dict(answer.headers), body=answer.body, lease_until=Now()
    )
    return bool(kept == 1)


def free(run: Run) -> None:
    """Forget the key: what was answered is not to be repeated. A run that was finished or taken over stays."""
    _mine(run).delete()


def forget_answers(*, using: str, about: Sequence[UUID]) -> None:
    """
    Drop the kept answers that name one of these ids: they repeat what is to be forgotten. The next try runs the work
    again, under the same operation.
    """
    for number in about:
        IdempotencyKey.objects.using(using).filter(state=DONE, body__contains=str(number)).delete()


def prune(*, using: str, hours: int = KEPT_HOURS, limit: int = 1000) -> bool:
    """Drop keys older than that, up to ``limit``; whether there may be more. Keys are kept for 24 hours at least."""
    if hours < 24:
        raise ValueError(f"hours={hours}: idempotency keys are kept for at least 24 hours")
    keys = IdempotencyKey.objects.using(using)
    old = keys.filter(created_at__lt=Now() - timedelta(hours=hours), lease_until__lt=Now()).order_by("created_at")
    deleted, _ = keys.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()
    return bool(deleted == limit)


def _mine(run: Run) -> Any:
    return IdempotencyKey.objects.using(run.using).filter(pk=run.id, attempt=run.attempt, state=RUNNING)


def _take_over(row: IdempotencyKey, operation: UUID, using: str) -> Run:
    taken = (
        IdempotencyKey.objects.using(using)
        .filter(pk=row.pk, attempt=row.attempt, state=RUNNING, lease_until__lt=Now())
        .update(attempt=F("attempt") + 1, lease_until=Now() + timedelta(seconds=LEASE_SECONDS))
    )
    if not taken:
        raise StillRunning
    return Run(id=row.pk, attempt=row.attempt + 1, operation=operation, using=using)


def _answer(row: IdempotencyKey) -> Answer:
    return Answer(status=row.status or 0, headers=row.headers or {}, body=row.body or "")
