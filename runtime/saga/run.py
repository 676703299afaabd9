"""A run in the hands of its holder: what it knows, what it has noted, and until when it is his."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from runtime.saga.counting import count_try
from runtime.saga.models import SagaRun
from runtime.telemetry.tracing import current_trace_id


class LeaseLost(Exception):
    """Somebody else holds this run now. Whatever was done under the old lease is done again by key, or undone."""


@dataclass(slots=True, kw_only=True)
class Run:
    """
    ``data`` is the process's own: plain JSON, kept from step to step. ``refusal`` is why it turned to undoing.

    Times are the database's: it is read when the lease is taken and counted on from there by a monotonic clock.
    """

    id: UUID
    definition: str
    version: int
    subject: UUID
    state: str
    step: int
    inquiring: bool
    data: dict[str, Any]
    log: list[dict[str, Any]]
    refusal: dict[str, Any] | None
    epoch: int
    lease_until: datetime
    deadline_at: datetime | None
    step_at: datetime
    attempts: int
    due_at: datetime
    error: str | None = None
    traceparent: str | None = None
    read_at: datetime
    _monotonic: float = field(default_factory=lambda: time.monotonic())
    # A draft's tries have happened once it is committed.
    _uncounted: list[tuple[str, str, str]] | None = None

    @property
    def unfinished(self) -> bool:
        return self.state in SagaRun.UNFINISHED

    def now(self) -> datetime:
        return self.read_at + timedelta(seconds=time.monotonic() - self._monotonic)

    def key(self, step: str) -> str:
        """The idempotency key of a step of this run: the same on every try, by whoever tries."""
        return f"{self.subject}:{step}"

    def come_to(self, step: int) -> None:
        """From here on this step is what is done, or undone, next."""
        self.step, self.step_at = step, self.now()
        self.inquiring, self.attempts, self.error = False, 0, None

    def draft(self) -> Run:
        """A copy to write to the database first; ``become`` takes it over once it is committed, its tries counted."""
        return replace(self, data=dict(self.data), log=[dict(entry) for entry in self.log], _uncounted=[])

    def become(self, draft: Run) -> None:
        for name in ("state", "step", "step_at", "inquiring", "data", "log", "refusal", "attempts", "error"):
            setattr(self, name, getattr(draft, name))
        for noted in draft._uncounted or ():
            count_try(self.definition, *noted)

    def note(self, step: str, action: str, result: str, detail: str = "") -> None:
        """Remember a try for the timeline. Repeats of the same result are counted, not listed."""
        if self._uncounted is None:
            count_try(self.definition, step, action, result)
        else:
            self._uncounted.append((step, action, result))
        at, trace = self.now().isoformat(), current_trace_id()
        last = self.log[-1] if self.log else {}
        if (last.get("step"), last.get("action"), last.get("result")) == (step, action, result):
            last.update(at=at, tries=last["tries"] + 1, detail=detail)
        else:
            entry = {"step": step, "action": action, "result": result, "at": at, "tries": 1, "detail": detail}
            self.log.append(entry if trace is None else {**entry, "trace": trace})
