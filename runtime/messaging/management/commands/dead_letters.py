"""``manage.py dead_letters list|replay|discard``: what a consumer could not handle, and what to do about it."""

from __future__ import annotations

from typing import IO, Any, cast
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from contracts._base import new_id
from runtime.audit.store import COMMAND_LINE, Decision
from runtime.messaging import deadletters
from runtime.messaging.deadletters import NotParked

_WIDEST = 200


class Command(BaseCommand):
    help = "Lists events that could not be handled; runs them again (replay), or gives them up (discard)."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="what is parked, the oldest first; exit 1 where there is any")
        listing.add_argument("--domain", choices=settings.HOSTED_DOMAINS, help="this consumer's alone")
        for verb, words in (("replay", "run it again, in its order"), ("discard", "give it up; the later ones go on")):
            one = verbs.add_parser(verb, help=words)
            one.add_argument("event_ids", nargs="+", type=UUID, metavar="EVENT_ID")
            one.add_argument("--domain", choices=settings.HOSTED_DOMAINS, required=True, help="whose dead letter it is")
            one.add_argument("--reason", required=True, help="goes into the audit row")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if verb == "list":
            self._list([options["domain"]] if options["domain"] else list(settings.HOSTED_DOMAINS))
            return
        decide = deadletters.replay if verb == "replay" else deadletters.discard
        done = "runs again" if verb == "replay" else "is given up"
        missing = []
        for event_id in options["event_ids"]:
            decision = Decision(operator=COMMAND_LINE, reason=options["reason"], key=new_id())
            try:
                taken = decide(event_id, decision, consumer=options["domain"])
            except NotParked:
                missing.append(event_id)
            else:
                self.stdout.write(f"{event_id}  {taken.event_type} {done}; {taken.waiting} waited behind it.")
        if missing:
            listed = ", ".join(map(str, missing))
            raise CommandError(f"No dead letter of {options['domain']} (any more), so nothing was done: {listed}")

    def _list(self, domains: list[str]) -> None:
        table = Table("consumer", "event", "id", "subject", "attempts", "waiting", "since", "error", box=None)
        for domain in domains:
            for row in deadletters.parked(consumer=domain):
                since = f"{row.parked_at:%Y-%m-%d %H:%M:%S}"
                waiting: Any = getattr(row, "waiting", 0)
                table.add_row(
                    domain, row.event_type, str(row.event_id), row.subject, str(row.attempts), str(waiting), since,
                    row.error,
                )  # fmt: skip
        if not table.row_count:
            self.stdout.write("No dead letters.")
            return
        # Django's own wrapper of a stream is one to rich as well.
        Console(file=cast(IO[str], self.stdout), width=_WIDEST).print(table)
        self.stdout.write("Run again or give up: manage.py dead_letters replay|discard ID --domain D --reason WHY")
        raise CommandError(f"{table.row_count} dead letters wait for somebody.", returncode=1)
