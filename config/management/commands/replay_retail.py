"""``manage.py replay_retail FILE``: a real sales history, placed order by order over HTTP."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from config.environment import ENVIRONMENT
from config.retail.history import History, NotASalesHistory, read
from config.retail.page import NOT_TRIED, Account, bars, page
from config.retail.replay import BEFORE, PLACED, CannotSignIn, Journal, Replay, Result, Shop, summary
from runtime.embedded.state import read_json, read_run


class Command(BaseCommand):
    help = "Places each sale invoice of a history as one order; goes on where it stopped. Exit 0 when all are placed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="the history, .csv or .csv.xz")
        parser.add_argument("--url", help="where the shop answers; default: what runs here")
        parser.add_argument("--speed", type=float, help="so many times as fast as it happened; default: no waiting")
        parser.add_argument("--concurrency", type=int, default=4, help="orders at a time (default 4)")
        parser.add_argument("--limit", type=int, help="place so many invoices in this run, then stop")
        parser.add_argument("--page", type=Path, metavar="FILE", help="where the page goes; default: below STATE_DIR")

    def handle(self, *args: Any, **options: Any) -> None:
        self._refuse_nonsense(options)
        try:
            history = read(options["file"])
        except (NotASalesHistory, OSError) as error:
            raise CommandError(str(error)) from error
        run = read_run(ENVIRONMENT.state_dir)
        url = options["url"] or (run and run["http"])
        if not url:
            raise CommandError("Nothing is running here: start it with `make up`, or say --url.")
        journal = Journal(_journal_path(history, url))
        try:
            results = self._replay(history, journal, url, options)
        finally:
            journal.close()
        missing = [invoice for invoice in history.invoices if invoice.number not in journal.placed]
        waiting = len(missing) - sum(r.outcome not in (PLACED, BEFORE) for r in results)
        accounts = _accounts(history, results, waiting=waiting)
        _print(accounts)
        where = options["page"] or journal.path.with_suffix(".html")
        outcomes = {result.invoice: _label(result.outcome) for result in results}
        shown = bars(history.invoices, outcomes)
        where.write_text(page(file=options["file"].name, at=datetime.now(UTC), accounts=accounts, shown=shown))
        self.stdout.write(f"As a page: {where}")
        if missing and options["limit"] is None:
            raise CommandError(f"{len(missing):,} sale invoices are not placed: run it again.", returncode=1)

    def _refuse_nonsense(self, options: dict[str, Any]) -> None:
        for name in ("speed", "concurrency", "limit"):
            if options[name] is not None and options[name] <= 0:
                raise CommandError(f"--{name} {options[name]} cannot be used: it is more than 0.")

    def _replay(self, history: History, journal: Journal, url: str, options: dict[str, Any]) -> list[Result]:
        known = [invoice for invoice in history.invoices if invoice.number in journal.placed]
        todo = [invoice for invoice in history.invoices if invoice.number not in journal.placed][: options["limit"]]
        email, password = _operator()
        shop = Shop(url, email=email, password=password, connections=options["concurrency"])
        try:
            shop.sign_in()
        except CannotSignIn as error:
            raise CommandError(f"The operator cannot sign in: {error}.") from error
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("invoices", total=len(history.invoices), completed=len(known))
            replay = Replay(
                shop=shop,
                journal=journal,
                currency=settings.SHOP_CURRENCY,
                concurrency=options["concurrency"],
                speed=options["speed"],
                done=lambda result: progress.advance(bar),
            )
            replay.run(todo)
        before = [
            Result(invoice=i.number, outcome=BEFORE, rows=len(i.rows), total=journal.placed[i.number]) for i in known
        ]
        return before + replay.results


def _accounts(history: History, results: list[Result], *, waiting: int) -> list[Account]:
    """Every row of the file is in one of them; the last is their sum."""
    found = summary(results)
    accounts = []
    for outcome in sorted(found, key=lambda name: (name != PLACED, name != BEFORE, name)):
        rows, invoices, total = found[outcome]
        accounts.append(_account(_label(outcome), rows, f"{invoices:,}", f"{total:,.2f}"))
    seen = sum(rows for rows, _, _ in found.values())
    left = history.row_count - seen - sum(history.left_out.values())
    if waiting or left:
        accounts.append(_account(NOT_TRIED, left, f"{waiting:,}"))
    accounts += [_account(f"no sale: {reason}", rows) for reason, rows in sorted(history.left_out.items())]
    total = sum((total for _, _, total in found.values()), Decimal(0))
    return [
        *accounts,
        _account("all rows of the file", history.row_count, f"{len(history.invoices):,}", f"{total:,.2f}"),
    ]


def _account(name: str, rows: int, invoices: str = "", total: str = "") -> Account:
    return Account(name=name, rows=f"{rows:,}", invoices=invoices, total=total)


def _label(outcome: str) -> str:
    return outcome if outcome in (PLACED, BEFORE) else f"refused: {outcome}"


def _print(accounts: Sequence[Account]) -> None:
    table = Table(title=None)
    for heading in ("what became of them", "rows", "invoices", "sum"):
        table.add_column(heading, justify="left" if heading.startswith("what") else "right")
    for place, each in enumerate(accounts):
        if place == len(accounts) - 1:
            table.add_section()
        table.add_row(each.name, each.rows, each.invoices, each.total)
    Console(width=100).print(table)


def _journal_path(history: History, url: str) -> Path:
    """A journal for each file and shop."""
    shop = hashlib.sha256(url.encode()).hexdigest()[:12]
    return Path(ENVIRONMENT.state_dir) / "replay" / f"{history.digest[:16]}-{shop}.jsonl"


def _operator() -> tuple[str, str]:
    kept = read_json(ENVIRONMENT.state_dir / "operator.json") or {}
    email = os.environ.get("OPERATOR_EMAIL") or kept.get("email")
    password = os.environ.get("OPERATOR_PASSWORD") or kept.get("password")
    if not email or not password:
        raise CommandError("No operator is known: set OPERATOR_EMAIL and OPERATOR_PASSWORD.")
    return email, password
