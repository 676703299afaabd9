"""How each neighbour stands with each process, for /metrics and the console: every process writes down its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from runtime.resilience.breaker import Standing, State
from runtime.telemetry.metrics import Gauge, counted

__all__ = ["Neighbour", "neighbours", "teller"]

# "liveall": a series for each process that lives, as each has a breaker of its own, and none for those that ended.
_STATE = Gauge(
    "mitosis_breaker_state",
    "How a neighbour stands with this process: 0 closed (asked), 1 half open (asked by one), 2 open (not asked).",
    ["callee"],
    multiprocess_mode="liveall",
)
_SINCE = Gauge(
    "mitosis_breaker_since_timestamp_seconds",
    "Since when it is asked by everybody (closed), or not (half open, open), in Unix time.",
    ["callee"],
    multiprocess_mode="liveall",
)
_FAILURES = Gauge(
    "mitosis_breaker_failures", "How often it has failed in a row, of late.", ["callee"], multiprocess_mode="liveall"
)
_NUMBER = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}
_STATE_OF = {number: state for state, number in _NUMBER.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """How one neighbour stands with one process of this site."""

    callee: str
    process: int
    state: State
    since: datetime
    failures: int


def teller(callee: str) -> Callable[[Standing], None]:
    """Writes down each new standing of this neighbour."""
    before: State | None = None

    def tell(standing: Standing) -> None:
        nonlocal before
        _FAILURES.labels(callee).set(standing.failures)
        if standing.state is not before:
            _STATE.labels(callee).set(_NUMBER[standing.state])
            # From open to half open and back is one and the same trouble.
            if before is None or State.CLOSED in (before, standing.state):
                _SINCE.labels(callee).set(time.time())
            before = standing.state

    return tell


def neighbours() -> list[Neighbour]:
    """Of all processes of this web server, by callee and process. Empty where nobody far away was asked yet."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for family in counted().collect():
        if family.name.startswith("mitosis_breaker_"):
            for sample in family.samples:
                who = sample.labels["callee"], int(sample.labels.get("pid", os.getpid()))
                found.setdefault(who, {})[sample.name] = sample.value
    return [
        Neighbour(
            callee=callee,
            process=process,
            state=_STATE_OF[int(values["mitosis_breaker_state"])],
            since=datetime.fromtimestamp(values["mitosis_breaker_since_timestamp_seconds"], UTC),
            failures=int(values["mitosis_breaker_failures"]),
        )
        for (callee, process), values in sorted(found.items())
        if len(values) == len((_STATE, _SINCE, _FAILURES))
    ]
