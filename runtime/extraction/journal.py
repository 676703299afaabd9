"""
How far a move has come: one file, written after each step, so that whoever comes after a crash knows what to do.

A step is done before it is written down, so the step after the one that stands here may have been done, or half of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from runtime.embedded.process import is_alive, started_at
from runtime.embedded.state import read_json, write_json
from runtime.telemetry.crashpoints import crashpoint

FILE = "move.json"

STEPS = ("planned", "stopped", "fenced", "prepared", "copied", "compared", "switched", "opened", "started")
"""Up to ``compared`` everything is taken back; from ``switched`` on there is only forward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An administrator's URL, or the name of a server of our own."""

    url: str | None = None
    embedded: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """
    ``kind`` is the command that began it. ``after`` is the caller's own: what holds once it is switched. ``mover`` is
    the process that carries it out, and ``begun`` when it began (seconds since 1970).
    """

    id: str
    kind: str
    schema: str
    source: Database
    target: Database
    after: Mapping[str, Any]
    begun: float
    step: str = STEPS[0]
    mover: int = field(default_factory=os.getpid)
    mover_started: int | None = field(default_factory=lambda: started_at(os.getpid()))

    @property
    def keeps_resting(self) -> bool:
        """Whether nobody may host the schema now."""
        return STEPS.index(self.step) < STEPS.index("opened")

    @property
    def is_left_alone(self) -> bool:
        """Whether the process that carried it out is dead."""
        return not is_alive(self.mover, self.mover_started)


def read_move(state: Path) -> Move | None:
    """The move that is under way or was broken off; None where there is none. Raises StateUnusable."""
    found = read_json(state / FILE)
    if found is None:
        return None
    return Move(**{**found, "source": Database(**found["source"]), "target": Database(**found["target"])})


def write_step(state: Path, move: Move, step: str) -> Move:
    """Raises StateUnusable."""
    crashpoint(f"move.before_{step}_is_written")
    move = replace(move, step=step)
    write_json(state / FILE, asdict(move))
    crashpoint(f"move.after_{step}")
    return move


def taken_over(move: Move) -> Move:
    """The same move in this process's hands."""
    return replace(move, mover=os.getpid(), mover_started=started_at(os.getpid()))


def forget_move(state: Path) -> None:
    (state / FILE).unlink(missing_ok=True)
