"""What a supervisor remembers of a move that another process carries out, and what becomes of it if that one dies."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.extracted import read_extracted
from config.supervision.commands import MANAGE, PROJECT
from runtime.embedded.process import Child
from runtime.embedded.state import MARK, RunFile
from runtime.extraction.journal import Move, read_move


@dataclass(slots=True)
class Following:
    """``resting`` is the move for which processes were stopped, ``followed`` the latest that was put into practice."""

    resting: Move | None = None
    followed: str = ""
    failure: str = ""
    heeded: int = 0
    _taking_up: Child | None = None

    def rest(self, move: Move) -> None:
        self.resting, self._taking_up = move, None

    def follow(self, state: Path) -> None:
        extracted = read_extracted(state)
        self.resting, self.followed = None, extracted.move if extracted else ""

    def is_over(self, state: Path) -> bool:
        """Whether the move that was rested for is gone, without a word from who carried it out."""
        if self.resting is None:
            return False
        move = read_move(state)
        return move is None or move.id != self.resting.id

    def take_up(self, state: Path, *, say: Callable[[str], None]) -> None:
        """Where who carried it out is dead: have another process finish it or take it back. Once for each move."""
        if self.resting is None or self._taking_up is not None:
            return
        move = read_move(state)
        if move is None or not move.is_left_alone:
            return
        say(f"The command that moved {move.schema} is dead: what it had begun is taken up.")
        self._taking_up = Child(
            [*MANAGE, move.kind, move.schema, "--take-up"],
            log=state / "log" / "move.log",
            env={**{name: value for name, value in os.environ.items() if name != MARK}, "STATE_DIR": str(state)},
            cwd=PROJECT,
        )

    def write_down(self, run: RunFile) -> None:
        run["heeded"] = self.heeded
        if self.resting is not None:
            run["resting"] = self.resting.id
        if self.followed:
            run["followed"] = self.followed
        if self.failure:
            run["failure"] = self.failure
