"""``manage.py dynamic_values list|set|reset|history``: what changes while everything runs, from the command line."""

from __future__ import annotations

from typing import IO, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from contracts._base import Rejected, new_id
from runtime.audit.store import COMMAND_LINE, Decision
from runtime.dynconf import store
from runtime.dynconf.declared import declared

_WIDEST = 200


class Command(BaseCommand):
    help = "Lists the values that change while everything runs, changes one, and tells who changed what."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="each value with its default, bounds and meaning")
        one = verbs.add_parser("set", help="change one, in all processes within seconds")
        one.add_argument("key")
        one.add_argument("value")
        back = verbs.add_parser("reset", help="back to its default")
        back.add_argument("key")
        for each in (one, back):
            each.add_argument("--reason", required=True, help="goes into the audit row")
        history = verbs.add_parser("history", help="who changed what, when, and why; the latest first")
        history.add_argument("key", nargs="?")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if settings.DYNAMIC_DOMAIN not in settings.HOSTED_DOMAINS:
            raise CommandError(f"Values are kept by {settings.DYNAMIC_DOMAIN}, which is not hosted here.")
        if verb == "list":
            self._show(_listed())
        elif verb == "history":
            self._show(_told(options["key"]))
        else:
            self._change(options["key"], options.get("value"), reason=options["reason"])

    def _change(self, key: str, text: str | None, *, reason: str) -> None:
        decision = Decision(operator=COMMAND_LINE, reason=reason, key=new_id())
        try:
            done = store.change(key=key, text=text, decision=decision)
        except Rejected as error:
            raise CommandError(error.detail) from None
        before, after = (store.facts_of(key, each)["value"] for each in (done.before, done.after))
        self.stdout.write(f"{key} was {before} and is {after} now (version {done.version}).")

    def _show(self, table: Table) -> None:
        Console(file=cast(IO[str], self.stdout), width=_WIDEST, soft_wrap=True).print(table)


def _listed() -> Table:
    table, found = Table("value", "is", "default", "bounds", "meaning", box=None), store.read()
    for key, each in declared().items():
        default = each.shown(each.initial())
        table.add_row(key, found.texts.get(key, default), default, each.bounds, each.description)
    return table


def _told(key: str | None) -> Table:
    table = Table("when", "who", "value", "before", "after", "why", box=None)
    for entry in store.history(key=key):
        who = "command line" if entry.operator == COMMAND_LINE else str(entry.operator)
        when = entry.at.isoformat(timespec="seconds")
        table.add_row(when, who, entry.object_id, entry.before["value"], entry.after["value"], entry.reason)
    return table
