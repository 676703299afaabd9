"""
A process tells whoever started it that it serves now, where that one asked: by READY_FILE in its environment.

Several that share the work say so each, and are ready when all have. Nobody else is told, and nothing is asked of them.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["READY_FILE", "are_ready", "say_ready"]

READY_FILE = "READY_FILE"


def say_ready(*, of: int = 1) -> None:
    """This process serves, one of so many that share the work."""
    if path := os.environ.get(READY_FILE):
        # One short write with O_APPEND is never mixed with another's.
        with Path(path).open("a") as file:
            file.write(f"{os.getpid()} {of}\n")


def are_ready(path: Path) -> bool:
    """Whether all have said so."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return False
    return bool(lines) and len(lines) >= int(lines[0].split()[1])
