"""`make setup` finds a Python that really runs, installs once, and starts over after an interruption."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = ("cat", "cmp", "dirname", "grep", "mv", "rm", "sh")
RUNS = Path(sys.base_prefix) / "bin" / "python3"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing to install, and a PATH with the few programs that are needed and no Python."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(PROJECT / "scripts" / "setup.sh", tmp_path / "scripts")
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / lock).write_text("# nothing\n")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def setup(checkout: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    told = {"PATH": str(checkout / "bin"), "HOME": str(checkout), **environ}
    command = [checkout / "scripts" / "setup.sh", "run"]
    return subprocess.run(command, env=told, capture_output=True, text=True, check=False)


def shim(path: Path) -> None:
    """A program that exists and does not run, as a version manager leaves it in PATH."""
    path.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    path.chmod(0o755)


def test_without_any_python_one_sentence_says_what_is_missing(checkout: Path) -> None:
    shim(checkout / "bin" / "python3.13")

    done = setup(checkout)

    assert done.returncode == 1
    assert done.stderr == (
        "Python 3.12 or newer, with its ssl and venv modules, is missing: "
        "install it, or name it, as in PYTHON=/path/to/python3.13 make demo\n"
    )


def test_a_python_behind_a_shim_that_does_not_run_is_found_among_the_installed_versions(checkout: Path) -> None:
    shim(checkout / "bin" / "python3.13")
    installed = checkout / ".pyenv" / "versions" / "3.13.0" / "bin"
    installed.mkdir(parents=True)
    (installed / "python3").symlink_to(RUNS)

    first, second = setup(checkout), setup(checkout)

    assert first.returncode == 0, first.stderr
    assert f"making .venv with {installed}/python3" in first.stdout
    assert (checkout / ".venv" / "bin" / "python").exists()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


def test_a_named_python_that_cannot_be_used_leaves_everything_as_it_was(checkout: Path) -> None:
    assert setup(checkout, PYTHON=str(RUNS)).returncode == 0

    done = setup(checkout, PYTHON="/nonexistent/python")

    assert done.returncode == 1
    assert done.stderr.startswith("PYTHON=/nonexistent/python cannot be used: it has to be Python 3.12 or newer")
    assert (checkout / ".venv" / "bin" / "python").exists()


def test_an_interrupted_or_broken_installation_is_made_anew_and_a_changed_lock_is_installed(checkout: Path) -> None:
    assert setup(checkout, PYTHON=str(RUNS)).returncode == 0
    venv = checkout / ".venv"

    (venv / ".installing").touch()
    interrupted = setup(checkout, PYTHON=str(RUNS))
    assert "it is made anew" in interrupted.stdout
    assert not (venv / ".installing").exists()

    (venv / "bin" / "python3").unlink()
    (venv / "bin" / "python3").symlink_to("/nonexistent")
    assert "it is made anew" in setup(checkout, PYTHON=str(RUNS)).stdout

    (checkout / "requirements.lock").write_text("# changed\n")
    assert "installing 0 packages from requirements.lock" in setup(checkout, PYTHON=str(RUNS)).stdout
