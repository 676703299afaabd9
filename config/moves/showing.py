"""How a move is shown to whoever asked for it: what is done, how far it is, what was compared, what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from config.moves.mover import Outcome
from runtime.databases.urls import without_password
from runtime.extraction.comparing import Compared, Fingerprint


class Screen:
    """A watcher of a move: sentences to one stream, progress bars to a terminal."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._bytes = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=_terminal()
        )
        self._tables = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=_terminal()
        )

    @contextmanager
    def lit(self) -> Iterator[None]:
        """The bars are taken down at the end, whatever it was."""
        try:
            yield
        finally:
            self._bytes.stop()
            self._tables.stop()

    def say(self, words: str) -> None:
        self._write(words)

    def copying(self, size: int) -> Callable[[int], None]:
        self._write("Copying.")
        self._bytes.start()
        # Rows take less room as text, and indexes none: the size on disk is a guess from above.
        task = self._bytes.add_task("copied", total=size)
        return lambda piece: self._bytes.advance(task, piece)

    def comparing(self, tables: int) -> Callable[[str], None]:
        self._bytes.stop()
        self._write("Comparing both sides, row by row.")
        self._tables.start()
        task = self._tables.add_task("tables read", total=2 * tables)
        return lambda _name: self._tables.advance(task)


def _terminal() -> Console:
    return Console(stderr=True)


def comparison(compared: Compared) -> Table:
    """Each table and sequence on both sides."""
    table = Table(box=box.SIMPLE, title="Compared", title_justify="left")
    for heading in ("table or sequence", "source", "target", ""):
        table.add_column(heading, justify="right" if heading in ("source", "target") else "left", overflow="fold")
    for name in compared.names:
        source, target = compared.source.get(name), compared.target.get(name)
        table.add_row(name, _words(source), _words(target), "equal" if source == target else "DIFFERENT")
    return table


def _words(found: Fingerprint | None) -> str:
    if found is None:
        return "not there"
    checksum = found.checksum.split()[0]
    if found.rows or checksum not in ("at", "before"):
        return f"{found.rows:,} rows {checksum[-12:]}"
    return found.checksum


def closing_words(outcome: Outcome, *, source: str, target: str) -> list[str]:
    """Where it is now, what is left to do, what it cost. The two are addresses for people or names of our servers."""
    name = outcome.move.schema
    lines = []
    if outcome.compared is not None:
        tables = len(outcome.compared.names)
        lines.append(
            f"{outcome.compared.rows:,} rows and {outcome.size:,} bytes were copied; {tables} tables and sequences"
            " are equal."
        )
    if outcome.downtime is not None:
        lines.append(f"Downtime: {outcome.downtime:.1f} s, from the first process stopped to all of them ready.")
    lines.append(f"{name} is in {target} now.")
    lines.append(f"What lies in {source} is closed and kept. Once you need it no more: {drop(name)}")
    if outcome.set_aside:
        lines.append(f"What an earlier move had left in {target} was set aside. Once you need it no more:")
        lines.append(f"  {drop(outcome.set_aside)}")
    return lines


def drop(schema: str) -> str:
    return f'DROP SCHEMA "{schema}" CASCADE;'


def address(url: str | None, embedded: str | None) -> str:
    return without_password(url) if url else f"our own server {embedded}"
