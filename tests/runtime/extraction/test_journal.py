"""How far a move has come can be read by whoever comes after."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.extraction.journal import STEPS, Database, Move, forget_move, read_move, taken_over, write_step


def a_move() -> Move:
    source, target = Database(embedded="postgres"), Database(url="postgresql://a:b@c/d")
    return Move(id="1", kind="extract", schema="shelf", source=source, target=target, after={"any": 1}, begun=1.5)


def test_what_was_written_is_read_again_and_is_for_its_owner_only(tmp_path: Path) -> None:
    assert read_move(tmp_path) is None

    written = write_step(tmp_path, a_move(), "fenced")

    assert written.step == "fenced"
    assert read_move(tmp_path) == written
    assert stat.S_IMODE((tmp_path / "move.json").stat().st_mode) == 0o600
    forget_move(tmp_path)
    assert read_move(tmp_path) is None


@pytest.mark.parametrize("step", STEPS)
def test_nobody_hosts_the_domain_until_its_new_place_is_open(step: str, tmp_path: Path) -> None:
    assert write_step(tmp_path, a_move(), step).keeps_resting is (step not in ("opened", "started"))


def test_a_move_is_left_alone_once_its_process_is_dead_until_another_takes_it_over(tmp_path: Path) -> None:
    move = write_step(tmp_path, a_move(), "copied")
    assert not move.is_left_alone
    code = (
        "import sys; from pathlib import Path; from runtime.extraction.journal import *;"
        "write_step(Path(sys.argv[1]), taken_over(read_move(Path(sys.argv[1]))), 'copied')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[3], check=True)

    left = read_move(tmp_path)

    assert left is not None
    assert left.mover != move.mover
    assert left.is_left_alone
    assert not taken_over(left).is_left_alone
