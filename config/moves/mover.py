"""
Carries out a move, step by step, and what is left of one that was broken off.

Up to the switch, which is one file replaced, whatever goes wrong is taken back and the source works as before. After it
there is only forward. A step is written down when it is done, and each may be done twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from config.extracted import forget_extracted, from_json, read_extracted, write_extracted
from config.moves.errors import AnotherMoves, BrokenOff, MoveRefused, NotFinished
from config.moves.house import House, house
from config.moves.servers import MovingServers
from runtime.embedded.errors import EmbeddedError
from runtime.embedded.state import locked_at_once, make_private
from runtime.extraction.comparing import Compared
from runtime.extraction.errors import ExtractionError
from runtime.extraction.journal import Move, forget_move, read_move, taken_over, write_step
from runtime.extraction.relocation import Relocation

EXPECTED = (MoveRefused, ExtractionError, EmbeddedError)
"""What has a sentence for whoever asked."""


class Watcher(Protocol):
    """Is told how a move goes on."""

    def say(self, words: str) -> None: ...
    def copying(self, size: int) -> Callable[[int], None]:
        """About so many bytes will be copied; what is answered hears of each piece."""

    def comparing(self, tables: int) -> Callable[[str], None]:
        """So many tables will be read on each side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What came of it. ``compared`` is None where the move was finished after a crash; ``downtime`` (seconds) where
    nothing ran that could be down.
    """

    move: Move
    compared: Compared | None = None
    size: int = 0
    downtime: float | None = None
    set_aside: str | None = None


class Mover:
    """One command's work. Each method raises one of EXPECTED."""

    def __init__(
        self, state: Path, *, secret_key: str, append_only: Callable[[str], list[str]], watcher: Watcher
    ) -> None:
        self._state = state
        self._secret_key = secret_key
        self._append_only = append_only
        self._watch = watcher
        self._servers = MovingServers(state)

    @contextmanager
    def at_work(self) -> Iterator[House]:
        """Alone, and with what runs here."""
        with locked_at_once(make_private(self._state) / "move.lock") as alone:
            if not alone:
                raise AnotherMoves
            with house(self._state, self._watch.say) as found:
                try:
                    yield found
                finally:
                    self._servers.close()

    # --- What was broken off -----------------------------------------------------------------------------------------

    def take_up(self, here: House) -> Outcome | None:
        """
        Finish a move that was broken off after its switch, take back one that was broken off before. The answer is the
        finished one.
        """
        move = read_move(self._state)
        if move is None:
            return None
        move = taken_over(move)
        if self._is_switched(move):
            self._watch.say(f"The move of {move.schema} was broken off after its switch: it is finished.")
            return self._forward(move, here)
        self._watch.say(f"The move of {move.schema} was broken off after it was {move.step}: it is taken back.")
        self._back(move, here)
        self._watch.say(f"{move.schema} is where it was.")
        return None

    def _is_switched(self, move: Move) -> bool:
        extracted = read_extracted(self._state)
        return extracted is not None and extracted.move == move.id

    # --- A move ------------------------------------------------------------------------------------------------------

    def carry_out(self, move: Move, here: House) -> Outcome:
        """
        From the first look to the last start. Raises one of EXPECTED; the source works then, but where it says so.
        """
        relocation = self._relocation(move)
        source, _target = relocation.check()
        move = write_step(self._state, move, "planned")
        stopped = time.monotonic()
        try:
            self._watch.say(f"Stopping what hosts {move.schema}." if here.is_running else "Nothing runs here.")
            here.rest(move.id)
            move = write_step(self._state, move, "stopped")
            relocation.fence()
            move = write_step(self._state, move, "fenced")
            aside = relocation.prepare()
            move = write_step(self._state, move, "prepared")
            size = relocation.copy(moved=self._watch.copying(source.size))
            move = write_step(self._state, move, "copied")
            compared = relocation.compare(done=self._watch.comparing(source.tables))
            move = write_step(self._state, move, "compared")
            write_extracted(self._state, from_json(move.after))
        except BaseException as error:
            if not self._is_switched(move):
                self._watch.say("That did not work: it is taken back.")
                self._back(move, here, why=error)
                raise
        done = self._forward(move, here)
        downtime = time.monotonic() - stopped if here.is_running else None
        return Outcome(move=done.move, compared=compared, size=size, downtime=downtime, set_aside=aside)

    def _forward(self, move: Move, here: House) -> Outcome:
        try:
            if move.step not in ("opened", "started"):
                move = write_step(self._state, move, "switched")
                self._relocation(move).open()
                move = write_step(self._state, move, "opened")
            self._servers.close()
            if here.is_running:
                self._watch.say(f"Starting {move.schema} with its new database.")
            here.follow(move.id)
            move = write_step(self._state, move, "started")
        except EXPECTED as error:
            raise NotFinished(why=str(error), domain=move.schema, kind=move.kind) from error
        forget_move(self._state)
        if not from_json(move.after).away:
            forget_extracted(self._state)
        return Outcome(move=move)

    def _back(self, move: Move, here: House, *, why: BaseException | None = None) -> None:
        try:
            if not self._relocation(move).undo():
                self._watch.say("The target cannot be reached: what was brought there lies closed until it is dropped.")
            self._servers.close()
            forget_move(self._state)
            here.follow(None)
        except EXPECTED as trouble:
            words = str(why) if why else "It was broken off."
            raise BrokenOff(why=words, domain=move.schema, trouble=trouble, kind=move.kind) from why

    def _relocation(self, move: Move) -> Relocation:
        return Relocation(
            schema=move.schema,
            source_url=self._servers.url(move.source, domain=move.schema),
            target_url=self._servers.url(move.target, domain=move.schema, may_be_new=True),
            move=move.id,
            secret_key=self._secret_key,
            append_only=self._append_only(move.schema),
        )
