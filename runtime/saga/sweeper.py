"""Finds runs that nobody holds, and has a worker go on with them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from runtime.saga import store
from runtime.saga.engine import advance
from runtime.saga.run import LeaseLost

log = logging.getLogger(__name__)

RESUME = "mitosis.resume_saga"

WORKER_BUDGET = 15.0
"""Seconds a worker spends on one run before it parks it; shorter than the lease."""

_NUDGE_AGAIN = timedelta(seconds=5)
"""A nudge that was lost on its way is given again after this time."""


def sweep(*, domain: str, nudge: Callable[[UUID], None], limit: int = 100) -> bool:
    """Nudge a worker for each run that is due. Whether there may be more."""
    found = store.take_due(using=domain, limit=limit, nudge_again=_NUDGE_AGAIN)
    for run_id in found:
        nudge(run_id)
    return len(found) == limit


def resume(run_id: UUID, *, domain: str) -> None:
    """Go on with a run if nobody else does."""
    run = store.claim(run_id, using=domain)
    if run is None:
        return
    try:
        advance(run, budget=WORKER_BUDGET)
    except LeaseLost as error:
        log.warning("%s", error)
