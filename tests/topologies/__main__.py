"""
``make topologies``: all fifteen groupings, each asked the same as the monolith, with a row of times as each is done.

``make leaks``: what only one process forgives, planted one at a time, and who notices it. Exit 1 where a grouping is
another shop, or a leak goes unnoticed.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from config.topology import Topology, every_topology
from tests.architecture.planting import RULES, who_notices
from tests.topologies.partition import standing
from tests.topologies.planted import SPLIT, Leak, first_difference, forgiven, leaking, leaks, played_in
from tests.topologies.play import Played, played_on
from tests.topologies.transcript import difference

# A pipe has no width to keep to.
CONSOLE = Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def main(words: Sequence[str]) -> int:
    monolith = _played("the monolith", Topology.single())
    return _leaks(monolith.text) if "leaks" in words else _topologies(monolith)


def _played(name: str, topology: Topology) -> Played:
    with Progress(console=CONSOLE, transient=True) as progress:
        progress.add_task(name, total=None)
        try:
            return played_on(standing(topology))
        except AssertionError as error:  # it does not start: one more difference, and the others have their turn
            return Played(text=f"It did not start: {error}\n", starting=math.nan, playing=math.nan)


# --- Topologies -----------------------------------------------------------------------------------------------------


def _topologies(monolith: Played) -> int:
    wanted = os.environ.get("TOPOLOGY")
    chosen = [Topology.parse(wanted)] if wanted else [each for each in every_topology() if each.is_split]
    table = _table("Topology", "Start", "Journeys", "Lines", "The same shop")
    _row(table, "all in one", monolith, same="the model")
    different = []
    for number, topology in enumerate(chosen, 1):
        played = _played(f"{number} of {len(chosen)}: {topology.name}", topology)
        found = difference(monolith.text, played.text, names=("the monolith", topology.name))
        if found:
            different.append(topology.name)
            CONSOLE.print(found, markup=False, soft_wrap=True)
        _row(table, topology.name, played, same="NO" if found else "yes")
        CONSOLE.print(f"{topology.name}: {'another shop' if found else 'the same'}, {_seconds(played)}", markup=False)
    CONSOLE.print(table)
    CONSOLE.print(f"{len(chosen) - len(different)} of {len(chosen)} are the same shop as the monolith.")
    return 1 if different else 0


def _row(table: Table, name: str, played: Played, *, same: str) -> None:
    lines = f"{played.text.count(chr(10)):,}"
    table.add_row(name, f"{played.starting:.1f} s", f"{played.playing:.1f} s", lines, same)


def _seconds(played: Played) -> str:
    return f"ready after {played.starting:.1f} s, played in {played.playing:.1f} s"


# --- Leaks ----------------------------------------------------------------------------------------------------------


def _leaks(pristine: str) -> int:
    table = _table("Leak", "import-linter", "Architecture test", "In one process", f"In {SPLIT.name}")
    unnoticed = 0
    for leak in leaks():
        began = time.monotonic()
        with Progress(console=CONSOLE, transient=True) as progress:
            progress.add_task(leak.patch.stem, total=None)
            row, noticed = _noticed(leak, pristine)
        unnoticed += not noticed
        table.add_row(leak.what, *row)
        CONSOLE.print(f"{leak.patch.stem}: {row[-1]} ({time.monotonic() - began:.0f} s)", markup=False, soft_wrap=True)
    CONSOLE.print(table)
    CONSOLE.print(f"{len(leaks())} leaks, {unnoticed} unnoticed by the journeys of a split shop.")
    return 1 if unnoticed else 0


def _noticed(leak: Leak, pristine: str) -> tuple[list[str], bool]:
    with leaking(leak) as tree:
        by = who_notices(tree)
        alone = played_in(tree, Topology.single())
        split = first_difference(pristine, played_in(tree, SPLIT))
    tests, contracts = sorted(by & set(RULES)), sorted(by - set(RULES))
    works = "works" if forgiven(pristine, alone) else f"fails: {first_difference(pristine, alone)}"
    return [", ".join(contracts) or "-", ", ".join(tests) or "-", works, split or "UNNOTICED"], bool(split)


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
