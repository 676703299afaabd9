"""Runs a process as far as it gets: forward step by step, or back."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction

from contracts._base import Rejected, Superseded, Unavailable
from runtime.calls import CrashedService, Lease, call
from runtime.codec import to_plain
from runtime.databases.transactions import is_outage
from runtime.saga import store
from runtime.saga.counting import count_run
from runtime.saga.definition import Outcome, Saga, Step, Unknown, Waiting, definition_of
from runtime.saga.models import SagaRun
from runtime.saga.run import LeaseLost, Run
from runtime.telemetry.crashpoints import crashpoint
from runtime.telemetry.spans import span

log = logging.getLogger(__name__)

LONGEST_WAIT = 15.0
"""Seconds between two tries, at the most: after an outage everything is looked at again within this time."""

_FIRST_WAIT = 0.5

CRASH_PATIENCE = 120.0
"""Seconds that a domain which crashes is asked again. A release that is taken back is over by then; a bug is not."""

_CRASHED_SINCE = "crashed_since"
"""In a run's data: when the domain that its step asks first crashed."""

_FEWEST_TRIES = 5
"""Before a person has to look: after a night without power, one try says nothing."""


class Expired(Rejected):
    """The time for this process is over."""

    code: ClassVar[str] = "expired"


def advance(run: Run, *, budget: float) -> Run:
    """
    Go on with a run that the caller holds, for so many seconds. The run, ended or parked and given back.

    Raises LeaseLost where somebody else took it over, and what the process's own database raises while it is out of
    reach (the lease then runs out, and the next holder goes on). Must not be called inside a transaction.
    """
    saga = definition_of(run.definition, run.version)
    _advance(saga, run, budget=budget)
    if not run.unfinished:
        count_run(run.definition, run.state)
    return run


def _advance(saga: type[Saga], run: Run, *, budget: float) -> None:
    with _traced(run), call(seconds=budget, lease=Lease(id=run.id, epoch=run.epoch)) as limit:
        while run.unfinished:
            if limit.remaining() == 0.0:
                store.save(run, using=saga.domain)
                return
            if run.now() >= run.lease_until:
                raise LeaseLost(f"{run.definition} of {run.subject} was held for too long: its lease has run out")
            if _advance_one(saga, run):
                return


def _advance_one(saga: type[Saga], run: Run) -> bool:
    """One step forward or back. Whether the run was parked or has ended."""
    if run.step == len(saga.steps):
        run.state = SagaRun.COMPLETED
        store.save(run, using=saga.domain)
        return True
    step = saga.steps[run.step]
    forward = run.state == SagaRun.RUNNING
    action = "do" if forward else "undo"
    with span(f"{step.name} {action}", attributes={"saga.step": step.name, "saga.action": action}) as part:
        ended = _attempt(saga, run, step, action)
        part.set_attribute("saga.result", _result(run, step, action))
    return ended


def _attempt(saga: type[Saga], run: Run, step: Step, action: str) -> bool:
    try:
        return _forward(saga, run, step) if action == "do" else _backward(saga, run, step)
    except LeaseLost:
        raise
    except Superseded as error:
        raise LeaseLost(f"{run.definition} of {run.subject} is held by somebody else, as {step.name} says") from error
    except Unavailable as error:
        return _retry_later(saga, run, step, action, str(error))
    except CrashedService as error:
        return _crashed(saga, run, step, action, error)
    except Exception as error:
        if isinstance(error, DatabaseError) and is_outage(error):
            return _retry_later(saga, run, step, action, type(error).__name__)
        return _needs_attention(saga, run, step, action, error)


@contextmanager
def _traced(run: Run) -> Iterator[None]:
    """One turn of the run: as far as it gets in the hands of this holder."""
    told: dict[str, str | int] = {
        "saga.name": run.definition,
        "saga.version": run.version,
        "saga.subject": str(run.subject),
    }
    with span(f"saga {run.definition}", attributes=told) as turn:
        yield
        turn.set_attribute("saga.state", run.state)


def _result(run: Run, step: Step, action: str) -> str:
    """What was noted of this try. A step that had nothing to undo notes nothing."""
    last = run.log[-1] if run.log else {}
    return str(last["result"]) if (last.get("step"), last.get("action")) == (step.name, action) else "nothing to do"


# --- Forward --------------------------------------------------------------------------------------------------------


def _forward(saga: type[Saga], run: Run, step: Step) -> bool:
    if _too_late(saga, run, step):
        return _turn_back(saga, run, Expired())
    crashpoint("saga.before_step")
    try:
        outcome = _do_local(saga, run, step) if step.local else _do(run, step)
    except Rejected as refusal:
        run.note(step.name, "do", "rejected", refusal.code)
        if saga.only_forward():
            return _needs_attention(saga, run, step, "do", refusal)
        return _turn_back(saga, run, refusal)
    crashpoint("saga.after_step_before_record")
    if outcome is not None:
        return _wait_for(saga, run, step, "do", outcome)
    return not run.unfinished


def _do(run: Run, step: Step) -> Outcome:
    outcome = step.inquire(run) if run.inquiring and step.inquire else step.do(run)
    if outcome is None:
        _step_done(run, step)
    return outcome


def _do_local(saga: type[Saga], run: Run, step: Step) -> Outcome:
    """The step and the record of its success (and of the end, where it is the last) in one transaction."""
    draft = run.draft()
    with transaction.atomic(using=saga.domain, durable=True):
        step.do(draft)
        _step_done(draft, step)
        if draft.step == len(saga.steps):
            draft.state = SagaRun.COMPLETED
        store.save(draft, using=saga.domain, release=not draft.unfinished)
    run.become(draft)
    return None


def _step_done(run: Run, step: Step) -> None:
    run.note(step.name, "do", "succeeded")
    run.data.pop(_CRASHED_SINCE, None)
    run.come_to(run.step + 1)


def _too_late(saga: type[Saga], run: Run, step: Step) -> bool:
    """A deadline ends a run only while nothing is open beyond the point of no return."""
    now = run.now()
    whole = run.deadline_at is not None and now >= run.deadline_at
    own = step.deadline is not None and now >= run.step_at + timedelta(seconds=step.deadline)
    if not (whole or own):
        return False
    return run.step <= saga.pivot_index() and not (run.inquiring and not run.data.get("settles_later"))


# --- Backward -------------------------------------------------------------------------------------------------------


def _turn_back(saga: type[Saga], run: Run, refusal: Rejected) -> bool:
    facts = to_plain(refusal.data, dict[str, Any])
    run.refusal = {"code": refusal.code, "detail": refusal.detail, "data": facts}
    run.state = SagaRun.COMPENSATING
    run.data.pop(_CRASHED_SINCE, None)
    run.come_to(saga.furthest(step=run.step, data=run.data))
    if not any(step.undo for step in saga.steps[: run.step + 1]):
        return False
    # From here on another holder must not go forward again.
    store.save(run, using=saga.domain, release=False)
    return False


def _backward(saga: type[Saga], run: Run, step: Step) -> bool:
    """Undo the step that failed as well as those before it: it may have had its effect all the same."""
    crashpoint("saga.before_undo")
    outcome = step.undo(run) if step.undo else None
    crashpoint("saga.after_undo_before_record")
    if outcome is not None:
        return _wait_for(saga, run, step, "undo", outcome)
    run.data.pop(_CRASHED_SINCE, None)
    if step.undo:
        run.note(step.name, "undo", "succeeded")
    if run.step > 0:
        run.come_to(run.step - 1)
        return False
    return _end_undone(saga, run)


def _end_undone(saga: type[Saga], run: Run) -> bool:
    draft = run.draft()
    with transaction.atomic(using=saga.domain, durable=True):
        if saga.undone is not None:
            saga.undone(draft)
        draft.state = SagaRun.COMPENSATED
        store.save(draft, using=saga.domain)
    run.become(draft)
    return True


# --- Parking --------------------------------------------------------------------------------------------------------


def _wait_for(saga: type[Saga], run: Run, step: Step, action: str, outcome: Unknown | Waiting) -> bool:
    run.inquiring = True
    if isinstance(outcome, Waiting):
        run.data["settles_later"] = True
        run.note(step.name, action, "waiting")
        wait = min(outcome.look_again, LONGEST_WAIT)
    else:
        run.data.pop("settles_later", None)
        run.note(step.name, action, "unknown", outcome.detail)
        wait = _backoff(run)
    return _park(saga, run, step, wait=wait)


def _retry_later(saga: type[Saga], run: Run, step: Step, action: str, detail: str) -> bool:
    run.note(step.name, action, "unavailable", detail[:200])
    run.error = detail[:2000]
    return _park(saga, run, step, wait=_backoff(run))


def _crashed(saga: type[Saga], run: Run, step: Step, action: str, error: CrashedService) -> bool:
    """It may have run, as whatever is out of reach may have; but it is no outage that may last an hour."""
    log.warning("%s of %s: %s", run.definition, run.subject, error)
    run.note(step.name, action, "failed", str(error)[:200])
    run.error = str(error)[:2000]
    run.data.setdefault(_CRASHED_SINCE, run.now().isoformat())
    return _park(saga, run, step, wait=_backoff(run), crashed=True)


def _park(saga: type[Saga], run: Run, step: Step, *, wait: float, crashed: bool = False) -> bool:
    """Until it is due again; or until a person has looked, where it has been tried for too long."""
    patience = settings.SAGA_PATIENCE if saga.patience is None else saga.patience
    began = run.step_at
    if crashed:
        patience, began = min(patience, CRASH_PATIENCE), datetime.fromisoformat(run.data[_CRASHED_SINCE])
    if run.attempts < _FEWEST_TRIES or run.now() - began < timedelta(seconds=patience):
        store.save(run, using=saga.domain, wait=wait)
        return True
    log.error("%s of %s needs attention: %s does not end", run.definition, run.subject, step.name)
    run.error = f"{step.name} was tried for {patience:.0f} s and did not end: {run.error or 'not known how it ended'}"
    run.state = SagaRun.NEEDS_ATTENTION
    run.data.pop(_CRASHED_SINCE, None)
    store.save(run, using=saga.domain)
    return True


def _needs_attention(saga: type[Saga], run: Run, step: Step, action: str, error: Exception) -> bool:
    """A bug: nothing that the contracts foresee. It stops here, marked, until somebody looks."""
    log.exception("%s of %s needs attention at %s", run.definition, run.subject, step.name)
    run.note(step.name, action, "failed", f"{type(error).__name__}: {error}"[:200])
    run.error = f"{type(error).__name__}: {error}"[:2000]
    run.state = SagaRun.NEEDS_ATTENTION
    store.save(run, using=saga.domain)
    return True


def _backoff(run: Run) -> float:
    run.attempts += 1
    return float(min(LONGEST_WAIT, _FIRST_WAIT * 2 ** (run.attempts - 1)) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
