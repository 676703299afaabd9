"""Finds runs that nobody holds, and has a worker go on with them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from runtime.saga import store
from runtime.saga.definition import UnknownSaga
from runtime.saga.engine import LONGEST_WAIT, advance
from runtime.saga.run import LeaseLost
from runtime.telemetry.logs import about
from runtime.telemetry.spans import entering

log = logging.getLogger(__name__)

RESUME = "mitosis.resume_saga"

WORKER_BUDGET = 15.0
"""Seconds a worker spends on one run before it parks it; shorter than the lease."""

_NUDGE_AGAIN = timedelta(seconds=5)
"""A nudge that was lost on its way is given again after this time."""


def sweep(*, domain: str, nudge: Callable[[UUID, int], None], limit: int = 100) -> bool:
    """Nudge a worker for each run that is due. Whether there may be more."""
    found = store.take_due(using=domain, limit=limit, nudge_again=_NUDGE_AGAIN)
    for run_id, epoch in found:
        nudge(run_id, epoch)
    return len(found) == limit


def resume(run_id: UUID, *, domain: str, after: int | None = None) -> None:
    """Go on with a run if nobody else does, or has since the holder ``after``: a nudge may wait in a long queue."""
    run = store.claim(run_id, using=domain, after=after)
    if run is None:
        return
    try:
        # The steps belong to the trace of whoever started it, and not to that of this nudge.
        with entering(f"resume {run.definition}", traceparent=run.traceparent), about(subject=str(run.subject)):
            advance(run, budget=WORKER_BUDGET)
    except LeaseLost as error:
        log.warning("%s", error)
    except UnknownSaga as error:
        # Another process may have it: a newer one, while versions change, or an older one.
        log.error("%s of %s is left alone: %s", run.definition, run.subject, error)
        store.save(run, using=domain, wait=LONGEST_WAIT)
