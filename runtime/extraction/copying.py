"""A schema flows from one database into another: pg_dump writes, pg_restore reads, nothing is kept in between."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit

from runtime.embedded.binaries import postgres_tree
from runtime.embedded.errors import BinariesMissing
from runtime.extraction.errors import CopyFailed, ToolsDoNotFit, ToolsMissing

CHUNK = 256 * 1024

_ALIKE = ("--no-owner", "--no-privileges", "--no-comments", "--no-security-labels")
"""Owners and rights are made at the target as everywhere; a comment on the schema is a mark of the source's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """A folder with pg_dump and pg_restore, and the version of PostgreSQL that they are of."""

    folder: Path
    major: int

    def fits(self, *, source: int, target: int) -> bool:
        """
        Whether they read the one and write the other, by their versions.

        pg_dump reads its own version and older ones. pg_restore of 17 and later begins with a setting that servers
        before 17 do not know.
        """
        return self.major >= source and (self.major < 17 or target >= 17)


def tools_for(*, source: int, target: int) -> Tools:
    """Out of the installed package, or else on PATH. Raises ToolsMissing, ToolsDoNotFit."""
    found = list(_all_tools())
    if not found:
        raise ToolsMissing(version=source)
    for each in found:
        if each.fits(source=source, target=target):
            return each
    versions = " and ".join(str(each.major) for each in found)
    raise ToolsDoNotFit(found=versions, source=source, target=target, wanted=source)


def _all_tools() -> Iterator[Tools]:
    folders = []
    with suppress(BinariesMissing):
        folders.append(postgres_tree() / "bin")
    if on_path := shutil.which("pg_dump"):
        folders.append(Path(on_path).parent)
    for folder in folders:
        if (folder / "pg_dump").is_file() and (folder / "pg_restore").is_file() and (major := _major(folder)):
            yield Tools(folder=folder, major=major)


def _major(folder: Path) -> int | None:
    """None where the program does not even say its version."""
    said = subprocess.run(  # noqa: S603 - our own program
        [str(folder / "pg_dump"), "--version"], capture_output=True, text=True, check=False, env=_environment()
    ).stdout
    found = re.search(r"\s(\d+)", said)
    return int(found[1]) if found else None


def copy(
    source_url: str,
    target_url: str,
    schema: str,
    *,
    tools: Tools,
    moved: Callable[[int], None] = lambda size: None,
) -> int:
    """
    Everything in the schema, in one transaction at the target: all of it is there, or nothing. The answer is in bytes.

    The schema has to be there and empty; who enters the target owns what arrives. ``moved`` hears of each piece's
    bytes. Raises CopyFailed with the program's last words.
    """
    folder = tools.folder
    dump: list[str | Path] = [folder / "pg_dump", "--format=custom", "--compress=0", f"--schema={schema}", *_ALIKE]
    restore: list[str | Path] = [folder / "pg_restore", "--exit-on-error", "--single-transaction", *_ALIKE]
    restore.append(f"--schema={schema}")
    with tempfile.TemporaryFile() as dump_says, tempfile.TemporaryFile() as restore_says:
        with (
            _running(dump, source_url, says=dump_says, stdout=subprocess.PIPE) as writer,
            _running(restore, target_url, says=restore_says, stdin=subprocess.PIPE) as reader,
        ):
            size = _pump(writer, reader, moved)
        # The reader's end is what counts; the writer's comes first where the reader only missed the rest of it.
        for program, process, says in (("pg_dump", writer, dump_says), ("pg_restore", reader, restore_says)):
            broken_pipe = program == "pg_dump" and reader.returncode != 0 and process.returncode == -13
            if process.returncode != 0 and not broken_pipe:
                raise CopyFailed(program=program, code=process.returncode, words=_last_words(says))
    return size


def _pump(writer: subprocess.Popen[bytes], reader: subprocess.Popen[bytes], moved: Callable[[int], None]) -> int:
    assert writer.stdout is not None
    assert reader.stdin is not None
    size = 0
    try:
        while piece := writer.stdout.read1(CHUNK):  # type: ignore[attr-defined]
            reader.stdin.write(piece)
            size += len(piece)
            moved(len(piece))
        reader.stdin.close()
    except BrokenPipeError:
        # The reader has died, and says why.
        with suppress(BrokenPipeError):
            reader.stdin.close()
        writer.stdout.close()
    writer.wait()
    reader.wait()
    return size


class _running:  # noqa: N801 - reads as what it is where it stands
    """A program with a database's address, ended with the block whatever happens."""

    def __init__(
        self, command: Sequence[str | Path], url: str, *, says: IO[bytes], stdin: int | None = None, stdout: int = -3
    ) -> None:
        address, password = _without_password(url)
        self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own program
            [*map(str, command), f"--dbname={address}"],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=says,
            # Arguments can be read by everybody on the machine.
            env={**_environment(), "PGPASSWORD": password},
        )

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self._process

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def _environment() -> dict[str, str]:
    """Nothing of the caller's: PGHOST and its like would be obeyed."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": os.environ.get("HOME", "/")}


def _without_password(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    user = login.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host)), unquote(parts.password or "")


def _last_words(says: IO[bytes]) -> str:
    says.seek(0)
    lines = says.read().decode(errors="replace").strip().splitlines()
    return "\n".join(f"    {line}" for line in lines[-12:]) or "    (nothing)"
