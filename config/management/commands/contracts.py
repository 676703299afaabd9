"""``manage.py contracts``: ``snapshot`` writes contracts/schemas; ``check`` says what the code changed since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.contracts import Drift, UnreadableSchema, drift, write
from runtime.compatibility import Verdict

WRITE = "Run `manage.py contracts snapshot` and commit contracts/schemas."


class Command(BaseCommand):
    help = "Writes what the domains promise one another as JSON Schema; tells compatible changes from breaking ones."
    # While a contract changes its service does not keep it yet, and that is when one wants to know.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        snapshot = actions.add_parser("snapshot", help="write contracts/schemas; refuses a breaking change")
        snapshot.add_argument(
            "--accept-breaking", action="store_true", help="write also what breaks those who rely on the old one"
        )
        check = actions.add_parser("check", help="compare the code with contracts/schemas; exit 1 on a breaking change")
        check.add_argument("--strict", action="store_true", help="exit 1 on any difference")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        folder = Path(settings.BASE_DIR) / "contracts" / "schemas"
        try:
            found = drift(folder)
        except UnreadableSchema as error:
            raise CommandError(f"{error}.") from error
        self._print(found)
        if action == "snapshot":
            self._snapshot(found, folder, accept=options["accept_breaking"])
        else:
            self._check(found, strict=options["strict"])

    def _print(self, found: Drift) -> None:
        styles = {
            Verdict.COMPATIBLE: self.style.SUCCESS,
            Verdict.VERSIONED: self.style.WARNING,
            Verdict.BREAKING: self.style.ERROR,
        }
        width = max((len(one.domain) for one in found.differences), default=0)
        for one in found.differences:
            verdict = styles[one.verdict](f"{one.verdict.label:<11}")
            self.stdout.write(f"{verdict}  {one.domain:<{width}}  {one.sentence}")

    def _snapshot(self, found: Drift, folder: Path, *, accept: bool) -> None:
        if not accept:
            self._refuse_breaking(found, "Nothing was written; --accept-breaking writes it all the same.")
        write(folder)
        self.stdout.write(f"Wrote {', '.join(found.stale)}." if found.stale else "There was nothing to write.")

    def _check(self, found: Drift, *, strict: bool) -> None:
        self._refuse_breaking(found, "Do what the lines above say.")
        if not found.stale:
            self.stdout.write("contracts/schemas is what the code says.")
        elif strict:
            raise CommandError(f"{', '.join(found.stale)}: not what the code says. {WRITE}")
        else:
            self.stdout.write(f"Nothing breaks, and {', '.join(found.stale)} is not what the code says. {WRITE}")

    def _refuse_breaking(self, found: Drift, rest: str) -> None:
        breaking = [one for one in found.differences if one.verdict is Verdict.BREAKING]
        if breaking:
            what = "1 change breaks" if len(breaking) == 1 else f"{len(breaking)} changes break"
            raise CommandError(f"{what} those who rely on what is committed. {rest}")
