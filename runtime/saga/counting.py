"""How processes go, counted for /metrics as it happens: runs that began and ended, and every try of a step."""

from __future__ import annotations

from functools import cache

from runtime.telemetry.metrics import Counter

__all__ = ["count_run", "count_try"]

_RUNS = Counter(
    "mitosis_saga_runs",
    "Processes that came to a state, by definition and state: started, completed, compensated or needs_attention.",
    ["definition", "state"],
)
_TRIES = Counter(
    "mitosis_saga_steps",
    "Tries of a step, by definition, step, action (do or undo) and result.",
    ["definition", "step", "action", "result"],
)


def count_run(definition: str, state: str) -> None:
    _RUNS.labels(definition, state).inc()


@cache
def _tries(definition: str, step: str, action: str, result: str) -> Counter:
    return _TRIES.labels(definition, step, action, result)


def count_try(definition: str, step: str, action: str, result: str) -> None:
    _tries(definition, step, action, result).inc()
