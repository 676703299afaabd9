"""
Turns away whoever was asleep: after a later holder of a lease has called a domain, an older one changes nothing there.

A fencing token (M. Kleppmann, How to do distributed locking, 2016): the lease's epoch travels with each call, and
whoever is called remembers the latest one it has seen, in the transaction of what it does.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connections

from contracts._base import Superseded
from runtime.calls.context import current_call

__all__ = ["pass_fence", "prune"]

_KEPT = timedelta(days=30)
"""A process that sleeps for longer than this has other troubles."""

_LIMIT = 1000

_CROSS = """
INSERT INTO calls_fence AS f (lease, epoch) VALUES (%s, %s)
ON CONFLICT (lease) DO UPDATE SET epoch = EXCLUDED.epoch, passed_at = clock_now() WHERE f.epoch <= EXCLUDED.epoch
"""
_PRUNE = """
DELETE FROM calls_fence WHERE lease IN (
    SELECT lease FROM calls_fence WHERE passed_at < clock_now() - %s LIMIT %s)
"""


class FenceOutsideTransaction(RuntimeError):
    """A fence holds only for the transaction it was passed in: what it guards has to be done in the same one."""


def pass_fence(*, using: str) -> None:
    """
    Go on only if no later holder of the call's lease has been here. In the caller's transaction, before its effect.

    Raises Superseded. A call under no lease passes.
    """
    connection = connections[using]
    if not connection.in_atomic_block:
        raise FenceOutsideTransaction(f"pass_fence(using={using!r}) was called outside of a transaction of {using}")
    lease = current_call().lease
    if lease is None:
        return
    with connection.cursor() as cursor:
        told: list[Any] = [lease.id, lease.epoch]
        cursor.execute(_CROSS, told)
        if cursor.rowcount != 1:
            raise Superseded(lease=str(lease.id), epoch=lease.epoch)


def prune(*, using: str) -> bool:
    """Forget leases that are too old, some of them at a time. Whether there may be more."""
    with connections[using].cursor() as cursor:
        told: list[Any] = [_KEPT, _LIMIT]
        cursor.execute(_PRUNE, told)
        return bool(cursor.rowcount == _LIMIT)
