"""``manage.py verify``: the guarantees, a line each with its figure. Exit 1 where one is broken."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.verification import Finding, check_all, read_books
from contracts._base import Unavailable
from runtime.databases.clock import database_time

EXAMPLES = 10


class Command(BaseCommand):
    help = "Evaluates the guarantees V1 to V5, V8, V9 and V12 on this system's data; exit 1 where one is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help=f"list every broken case, not only {EXAMPLES} of each")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            books = read_books(now=database_time("orders"), progress=self._progress)
        except Unavailable as error:
            raise CommandError(f"The books cannot be read: {error.detail}.") from error
        if self.stderr.isatty():
            self.stderr.write("\r\033[K", ending="")
        findings = check_all(books)
        for finding in findings:
            self._print(finding, everything=options["all"])
        broken = [finding.name for finding in findings if not finding.holds]
        if broken:
            raise CommandError(f"Broken: {', '.join(broken)}.", returncode=1)
        self.stdout.write(f"All {len(findings)} hold.")

    def _print(self, finding: Finding, *, everything: bool) -> None:
        verdict = self.style.SUCCESS("holds ") if finding.holds else self.style.ERROR("BROKEN")
        self.stdout.write(f"{finding.name:<4} {verdict}  {finding.says:<76}  {finding.figure}")
        shown = finding.broken if everything else finding.broken[:EXAMPLES]
        for case in shown:
            self.stdout.write(f"            {case}")
        if len(shown) < len(finding.broken):
            self.stdout.write(f"            and {len(finding.broken) - len(shown):,} more (--all lists them)")

    def _progress(self, what: str, count: int) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r\033[Kreading {what}: {count:,}", ending="")
            self.stderr.flush()
