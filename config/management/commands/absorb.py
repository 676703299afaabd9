"""Move an extracted domain back to the database and the processes that it came from. It is down meanwhile."""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console

from config.environment import ENVIRONMENT, Environment, read
from config.moves.mover import EXPECTED, Mover, Outcome
from config.moves.planning import absorption
from config.moves.showing import Screen, address, closing_words, comparison
from runtime.databases.management.commands.migrate import append_only_tables
from runtime.extraction.comparing import NotEqual
from runtime.extraction.journal import Move, read_move


class MovingCommand(BaseCommand):
    """What `extract` and `absorb` share: one that was broken off comes first, then the one that is asked for."""

    # The checks look at a database, and the one in question is about to be closed.
    requires_system_checks = ()
    kind: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("domain", help="users, inventory, payments or orders")
        parser.add_argument(
            "--take-up", action="store_true", help="only finish a move that was broken off, or take it back"
        )

    def plan(self, settings: Environment, options: dict[str, Any]) -> Move:
        """The move that is asked for. Raises a kind of MoveRefused."""
        raise NotImplementedError

    def handle(self, *_args: Any, **options: Any) -> None:
        screen = Screen(lambda words: self.stdout.write(words))
        mover = Mover(
            ENVIRONMENT.state_dir,
            secret_key=ENVIRONMENT.secret_key,
            append_only=append_only_tables,
            watcher=screen,
        )
        try:
            with _ended_in_order(), screen.lit(), mover.at_work() as here:
                outcome = mover.take_up(here)
                if not options["take_up"] and (outcome is None or not self._was_it(outcome, options)):
                    # Read again: what was taken up may have changed it.
                    outcome = mover.carry_out(self.plan(read(os.environ), options), here)
        except EXPECTED as error:
            if isinstance(error, NotEqual):
                self._print(comparison(error.compared))
            self.stderr.write(self.style.ERROR(str(error)))
            sys.exit(1)
        except KeyboardInterrupt:
            self.stderr.write(self.style.ERROR(_told_to_stop()))
            sys.exit(130)
        if outcome is not None:
            self._report(outcome)

    def _was_it(self, outcome: Outcome, options: dict[str, Any]) -> bool:
        """Whether what was finished is what is asked for now."""
        return (outcome.move.kind, outcome.move.schema) == (self.kind, options["domain"])

    def _report(self, outcome: Outcome) -> None:
        move = outcome.move
        if outcome.compared is not None:
            self._print(comparison(outcome.compared))
        source, target = address(move.source.url, move.source.embedded), address(move.target.url, move.target.embedded)
        for line in closing_words(outcome, source=source, target=target):
            self.stdout.write(line)
        if os.environ.get(name := f"{move.schema.upper()}_DATABASE_URL") and move.kind == "extract":
            self.stdout.write(f"{name} is set here and names the old database; it is overruled: unset it.")

    def _print(self, table: Any) -> None:
        # A file or a pipe has no width to keep to.
        console = Console(width=None if self.stdout.isatty() else 140)
        with console.capture() as shown:
            console.print(table)
        self.stdout.write("\n".join(line.rstrip() for line in shown.get().splitlines()))


class Command(MovingCommand):
    help = (
        "Moves an extracted domain back to where it came from, cold: stops it, copies, compares, switches, starts it."
    )
    kind = "absorb"

    def plan(self, settings: Environment, options: dict[str, Any]) -> Move:
        return absorption(settings, domain=options["domain"])


def _told_to_stop() -> str:
    move = read_move(ENVIRONMENT.state_dir)
    if move is None:
        return "Told to stop: nothing of it is left."
    return f"Told to stop after {move.schema} was {move.step}: run `manage.py {move.kind} {move.schema} --take-up`."


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """A closed terminal and SIGTERM are heard like Ctrl-C: what was begun is taken back."""

    def told(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
