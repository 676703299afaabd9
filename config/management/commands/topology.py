"""``manage.py topology``: who hosts what, where, on which database, and what goes between them."""

from __future__ import annotations

import dataclasses
import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand
from rich import box
from rich.console import Console
from rich.table import Table

from config.whereabouts import Tie, Whereabouts, known_here


class Command(BaseCommand):
    help = "Shows which domains share processes, where they answer, their databases, and which calls cross."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="as JSON, without passwords")
        form.add_argument("--mermaid", action="store_true", help="as a flowchart for Mermaid")

    def handle(self, *_args: Any, **options: Any) -> None:
        found = known_here()
        if options["json"]:
            self.stdout.write(json.dumps(dataclasses.asdict(found), indent=2))
        elif options["mermaid"]:
            self.stdout.write("\n".join(chart(found)))
        else:
            # A file or a pipe has no width to keep to.
            console = Console(width=None if self.stdout.isatty() else 200)
            with console.capture() as shown:
                console.print(_places(found), _ties("Calls", found.calls), _ties("Events", found.events), sep="\n")
            self.stdout.write("\n".join(line.rstrip() for line in shown.get().splitlines()))


def _places(found: Whereabouts) -> Table:
    table = _table(f"Topology {found.topology}", "Group", "HTTP", "Inside", "Databases", "Processes")
    for place in found.places:
        databases = "\n".join(dict.fromkeys(place.databases.values())) or "not known"
        running = "\n".join(place.processes) or "not known"
        table.add_row(place.name, place.http or "not known", place.inside or "not known", databases, running)
    return table


def _ties(title: str, ties: Sequence[Tie]) -> Table:
    table = _table(title, "From", "To", "What", "Crosses")
    for tie in ties:
        table.add_row(tie.source, tie.target, ", ".join(tie.names), "yes" if tie.crosses else "no")
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def chart(found: Whereabouts) -> list[str]:
    """Groups as boxes around their domains, each with its database; calls as arrows, events as dotted ones."""
    lines = ["flowchart LR"]
    for number, place in enumerate(found.places):
        lines.append(f'  subgraph group{number}["{place.name}"]')
        lines += [f"    {domain}" for domain in place.domains]
        lines.append("  end")
        lines += [f'  {domain} --- db_{domain}[("{url}")]' for domain, url in place.databases.items()]
    lines += [f"  {tie.source} -->|{len(tie.names)} calls| {tie.target}" for tie in found.calls]
    lines += [f"  {tie.source} -.->|{len(tie.names)} events| {tie.target}" for tie in found.events]
    return lines
