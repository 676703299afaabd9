"""Committed patches that take something out, or plant something: put into a copy of the tree."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

LEFT_OUT = shutil.ignore_patterns(".venv", "var", ".git", ".*_cache", "__pycache__", ".hypothesis", ".schemathesis")
"""What a copy of the tree does without (for shutil.copytree)."""


def apply(patch: Path, *, tree: Path) -> None:
    """Raises RuntimeError where the patch does not fit the code any more."""
    applied = subprocess.run(
        ["patch", "-p1", "--no-backup-if-mismatch", "-i", str(patch)],
        cwd=tree, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if applied.returncode:
        raise RuntimeError(f"{patch.name} does not fit the code any more:\n{applied.stdout}{applied.stderr}")
