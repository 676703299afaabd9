"""Whoever starts a process is told when it serves, if that was asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.embedded.readiness import READY_FILE, are_ready, say_ready


def test_nobody_is_told_where_nobody_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(READY_FILE, raising=False)
    monkeypatch.chdir(tmp_path)

    say_ready()

    assert list(tmp_path.iterdir()) == []


def test_several_that_share_the_work_are_ready_when_all_have_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "web"
    monkeypatch.setenv(READY_FILE, str(path))
    found = [are_ready(path)]
    for _ in range(3):
        say_ready(of=3)
        found.append(are_ready(path))

    assert found == [False, False, False, True]
    assert path.read_text() == f"{os.getpid()} 3\n" * 3
