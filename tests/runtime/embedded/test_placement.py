"""Where PostgreSQL's data lie and who runs it, as root and as a plain user."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.embedded import binaries
from runtime.embedded.errors import StateUnusable
from runtime.embedded.placement import discard
from runtime.embedded.postgres import Postgres
from runtime.embedded.process import command_line

Ask = Callable[[str, str], Any]
Listing = Callable[[Path], list[Path]]

PROJECT = Path(__file__).resolve().parents[3]
NOBODY = 65534
AS_A_PLAIN_USER = """
import os, pathlib, psycopg2, sys
from runtime.embedded.postgres import Postgres
from runtime.embedded.state import secrets
import cryptography.hazmat.primitives.asymmetric.rsa, cryptography.hazmat.primitives.serialization
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
server = Postgres(pathlib.Path(sys.argv[1]))
server.start()
connection = psycopg2.connect(server.url)
cursor = connection.cursor()
cursor.execute("SELECT 1")
print(os.stat(f"/proc/{server.process.pid}").st_uid, cursor.fetchone()[0])
connection.close()
server.stop()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")


@as_root
def test_as_root_it_runs_as_nobody_with_its_data_outside_the_state_directory(postgres: Postgres) -> None:
    postgres.start()
    assert postgres.process is not None

    assert Path(f"/proc/{postgres.process.pid}").stat().st_uid == NOBODY
    home = (postgres.state / "postgres").readlink()
    assert home.parent == Path("/var/tmp")
    assert (home.stat().st_uid, stat.S_IMODE(home.stat().st_mode)) == (0, 0o711)

    postgres.stop()
    assert discard(postgres.state) == [home]
    assert not home.exists()


@as_root
def test_as_root_programs_that_nobody_can_reach_are_copied_once(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    installed = binaries.postgres_tree().parent
    for folder in (installed, *(folder for folder in binaries.postgres_libraries() if folder.parent != installed)):
        (closed / folder.name).symlink_to(folder)
    monkeypatch.setattr(binaries, "_package", lambda name: closed / name)

    postgres.start()
    assert ask(postgres.url, "SELECT 1") == 1
    (copy,) = (postgres.state / "postgres").resolve().glob("programs-*")
    assert postgres.process is not None
    assert f"{copy}/" in command_line(postgres.process.pid)
    made = copy.stat().st_ino
    postgres.stop()
    postgres.start()

    assert copy.stat().st_ino == made


@as_root
def test_as_root_a_moved_state_directory_takes_its_data_along_and_a_copied_one_does_not_share_them(
    postgres: Postgres, tmp_path: Path, ask: Ask
) -> None:
    postgres.start()
    ask(postgres.url, "CREATE TABLE kept AS SELECT 7 AS number")
    subprocess.run(["cp", "-a", postgres.state, tmp_path / "copied"], check=True)
    with pytest.raises(StateUnusable, match="of which it is a copy"):
        Postgres(tmp_path / "copied").start()
    postgres.stop()

    postgres.state.rename(tmp_path / "moved")
    moved = Postgres(tmp_path / "moved")
    moved.start()
    try:
        assert ask(moved.url, "SELECT number FROM kept") == 7
    finally:
        moved.stop()
        assert len(discard(moved.state)) == 1


@as_root
def test_a_plain_user_has_everything_in_the_state_directory(open_to_others: Listing) -> None:
    # The test's own directory is closed to others, and so may be the folder that this interpreter lies in.
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, NOBODY, NOBODY)
    try:
        command = [sys.executable, "-c", AS_A_PLAIN_USER, str(folder / "state")]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.stdout == "65534 1\n", done.stderr
        assert (folder / "state" / "postgres" / "data").is_dir()
        assert not (folder / "state" / "postgres").is_symlink()
        assert open_to_others(folder / "state") == []
    finally:
        shutil.rmtree(folder)
