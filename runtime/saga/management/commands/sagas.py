"""``manage.py sagas list|show|retry|compensate``: what processes are at, where they are stuck, and the two ways on."""

from __future__ import annotations

import json
from typing import IO, Any, cast
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from rich.console import Console
from rich.table import Column, Table

from contracts._base import Rejected, new_id
from runtime.audit.store import COMMAND_LINE, Decision
from runtime.saga import attention
from runtime.saga.models import SagaRun

_WIDEST = 200
_MOST = 200


class Command(BaseCommand):
    help = "Lists processes, shows one, has one that is stuck tried again (retry), or undone (compensate)."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="what is under way or stuck; exit 1 where any needs attention")
        listing.add_argument("--domain", choices=settings.HOSTED_DOMAINS, help="this domain's alone")
        listing.add_argument("--stuck", action="store_true", help="only what needs attention")
        showing = verbs.add_parser("show", help="all that was tried for one process, or for one order")
        showing.add_argument("run_id", type=UUID, metavar="ID", help="the process's id, or its subject's")
        showing.add_argument("--domain", choices=settings.HOSTED_DOMAINS)
        for verb, words in (("retry", "try the step again that it stopped at"), ("compensate", "undo all of it")):
            one = verbs.add_parser(verb, help=words)
            one.add_argument("run_ids", nargs="+", type=UUID, metavar="ID")
            one.add_argument("--domain", choices=settings.HOSTED_DOMAINS, required=True, help="whose process it is")
            one.add_argument("--reason", required=True, help="goes into the audit row")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        domains = [options["domain"]] if options["domain"] else list(settings.HOSTED_DOMAINS)
        if verb == "list":
            self._list(domains, only_stuck=options["stuck"])
        elif verb == "show":
            self._show(options["run_id"], domains)
        else:
            self._decide(verb, **options)

    def _list(self, domains: list[str], *, only_stuck: bool) -> None:
        names = ("domain", "process", "id", "subject", "state", "step", "tries", "since")
        table = Table(*[Column(name, no_wrap=True) for name in names], Column("error", overflow="fold"), box=None)
        stuck = 0
        for domain in domains:
            stuck += attention.stuck(using=domain).count()
            for run in _open(domain, only_stuck=only_stuck)[:_MOST]:
                table.add_row(
                    domain, f"{run.definition} v{run.version}", str(run.pk), str(run.subject), run.state,
                    attention.step_of(run), str(run.attempts), f"{run.step_at:%Y-%m-%d %H:%M:%S}", run.error or "",
                )  # fmt: skip
        if not table.row_count:
            self.stdout.write("No process is stuck." if only_stuck else "No process is under way or stuck.")
            return
        self._print(table)
        if stuck:
            self.stdout.write("Go on: manage.py sagas show ID, then retry|compensate ID --domain D --reason WHY")
            raise CommandError(f"{stuck} processes need attention.", returncode=1)

    def _show(self, wanted: UUID, domains: list[str]) -> None:
        runs = [(domain, run) for domain in domains for run in _named(wanted, domain)]
        if not runs:
            raise CommandError(f"No process has the id or the subject {wanted}: see manage.py sagas list.")
        for domain, run in runs:
            self.stdout.write(f"{run.definition} v{run.version}  {run.pk}  of {domain}, about {run.subject}")
            self.stdout.write(f"{run.state} at {attention.step_of(run)}, holder {run.epoch}, due {run.due_at}")
            for name, value in (("refused", run.refusal), ("error", run.error), ("data", run.data)):
                if value:
                    self.stdout.write(f"{name}: {value if isinstance(value, str) else json.dumps(value)}")
            names = ("at", "step", "tried", "result", "times")
            table = Table(*[Column(name, no_wrap=True) for name in names], Column("detail", overflow="fold"), box=None)
            for entry in run.log:
                table.add_row(
                    entry["at"], entry["step"], entry["action"], entry["result"], str(entry["tries"]), entry["detail"]
                )
            self._print(table)

    def _decide(self, verb: str, *, run_ids: list[UUID], domain: str, reason: str, **options: Any) -> None:
        decide = attention.retry if verb == "retry" else attention.compensate
        refused = []
        for run_id in run_ids:
            try:
                done = decide(run_id, Decision(operator=COMMAND_LINE, reason=reason, key=new_id()), using=domain)
            except Rejected as error:
                refused.append(f"{run_id}: {error}")
            else:
                way = "is tried again" if done.state == SagaRun.RUNNING else "is undone, and then what was before it"
                self.stdout.write(f"{run_id}  {done.definition} goes on: {done.step} {way}.")
        if refused:
            raise CommandError("Nothing was done for " + "; ".join(refused))

    def _print(self, table: Table) -> None:
        # Django's own wrapper of a stream is one to rich as well.
        Console(file=cast(IO[str], self.stdout), width=_WIDEST).print(table)


def _open(domain: str, *, only_stuck: bool) -> QuerySet[SagaRun]:
    states = [SagaRun.NEEDS_ATTENTION] if only_stuck else [SagaRun.NEEDS_ATTENTION, *SagaRun.UNFINISHED]
    return SagaRun.objects.using(domain).filter(state__in=states).order_by("step_at", "id")


def _named(wanted: UUID, domain: str) -> QuerySet[SagaRun]:
    rows = SagaRun.objects.using(domain)
    return (rows.filter(pk=wanted) | rows.filter(subject=wanted)).order_by("created_at")
