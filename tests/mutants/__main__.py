"""
``make mutants``: takes each guard out of a copy of the tree, one at a time, and runs the tests that should notice.

A patch begins with lines of its own: what was taken out, and the tests. A mutant for which no test fails has survived:
exit 1. One that does not fit the code any more, or whose tests cannot be collected, is an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.patches import LEFT_OUT, apply

ROOT = Path(__file__).resolve().parents[2]
PATCHES = Path(__file__).parent / "patches"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A guard that is taken out, and the tests (as pytest takes them) of which at least one has to fail."""

    patch: Path
    guard: str
    tests: list[str]


def mutants() -> list[Mutant]:
    return [_read(path) for path in sorted(PATCHES.glob("*.patch"))]


def _read(path: Path) -> Mutant:
    text = path.read_text()
    (guard,) = re.findall(r"^guard: (.+)$", text, re.M)
    return Mutant(path, guard, re.findall(r"^test: (.+)$", text, re.M))


def failed_for(mutant: Mutant, tree: Path) -> list[str]:
    """The names of the tests that failed; empty where it survived. Raises RuntimeError where it could not be tried."""
    apply(mutant.patch, tree=tree)
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(
            f"{mutant.patch.name}: its tests could not be run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return re.findall(r"^FAILED \S+::(\w+)", done.stdout, re.M)


def main() -> int:
    console, survived = Console(), 0
    table = Table("guard taken out", box=None)
    table.add_column("the test that failed for it", overflow="fold")
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("mutants", total=len(mutants()))
        for mutant in mutants():
            progress.update(bar, description=mutant.patch.stem)
            with tempfile.TemporaryDirectory(prefix="mitosis-mutant-") as folder:
                tree = Path(folder) / "tree"
                shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
                failed = failed_for(mutant, tree)
            survived += not failed
            table.add_row(mutant.guard, failed[0] if failed else "[bold red]none: it survived[/]")
            progress.advance(bar)
    console.print(table)
    console.print(f"{len(mutants())} mutants, {survived} survived.")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
