"""
Leaks that only one process forgives: each is a patch, played on a shop of one process and on one of two.

A patch begins with lines of its own: what leaks. One that the shop of two answers like any other has gone unnoticed.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.topology import Topology
from tests.patches import LEFT_OUT, apply
from tests.shop import ROOT
from tests.topologies.partition import standing
from tests.topologies.play import played_on

PATCHES = Path(__file__).parent / "leaks"
SPLIT = Topology.parse("users,orders|inventory,payments")
"""Orders and the two that it asks for stock and money are apart; two groups start sooner than four."""


@dataclass(frozen=True, slots=True)
class Leak:
    patch: Path
    what: str


def leaks() -> list[Leak]:
    return [_read(path) for path in sorted(PATCHES.glob("*.patch"))]


def _read(path: Path) -> Leak:
    (what,) = re.findall(r"^leak: (.+)$", path.read_text(), re.M)
    return Leak(path, what)


@contextmanager
def leaking(leak: Leak) -> Iterator[Path]:
    """A copy of the tree with the leak in it. Raises RuntimeError where the patch does not fit the code any more."""
    with tempfile.TemporaryDirectory(prefix="mitosis-leak-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
        apply(leak.patch, tree=tree)
        yield tree


def played_in(tree: Path, topology: Topology) -> str:
    """The transcript of this tree's shop; what was said instead where it does not even start."""
    try:
        return played_on(standing(topology, root=tree)).text
    except AssertionError as error:
        return f"it does not start: {error}"


def forgiven(pristine: str, text: str) -> bool:
    """Whether everything was answered with the status it should have, and came to rest with the books in order."""
    rest = ("### At rest\nTrue\n", "### Guarantees\nexit 0\n")
    return _statuses(text) == _statuses(pristine) and all(words in text for words in rest)


def _statuses(text: str) -> list[str]:
    return re.findall(r"^\d{3}$", text, re.M)


def first_difference(pristine: str, text: str) -> str:
    """The scene, the question and the answer that differ first; empty where nothing does."""
    scene = question = ""
    wanted, given = pristine.splitlines(), text.splitlines()
    for number, line in enumerate(given):
        if number >= len(wanted) or line != wanted[number]:
            was = wanted[number].strip() if number < len(wanted) else "nothing"
            return f"{scene}: {question}: {was} became {line.strip()}"
        if line.startswith("### "):
            scene, question = line.removeprefix("### "), ""
        elif re.match(r"[a-z].*: (GET|POST|PUT|PATCH|DELETE) /", line):
            question = line
    return "" if len(given) == len(wanted) else f"{scene}: it ends early"
