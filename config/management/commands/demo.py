"""Start everything, place real orders over HTTP, and show what came of them."""

from __future__ import annotations

import os
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand
from rich import box
from rich.console import Console
from rich.table import Table

from config.demonstration import Demonstration, DemonstrationFailed, Outcome
from config.environment import ENVIRONMENT, BadSetting
from config.management.commands.up import add_topology, say, wanted, welcome
from config.supervision.errors import SupervisorError
from config.supervision.operator_login import OperatorLogin, operator_login
from config.supervision.plans import supervisor_for
from config.supervision.supervisor import Supervisor
from config.topology import Topology
from runtime.embedded.errors import EmbeddedError
from runtime.embedded.process import wait_until
from runtime.embedded.state import read_run

JOIN_LIMIT = 120.0


class Command(BaseCommand):
    help = "Starts everything, places orders that end well and badly, shows the outcomes, and stays up."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_topology(parser)
        parser.add_argument(
            "--once", action="store_true", help="stop after the table; exit 0 when every outcome is the expected one"
        )

    def handle(self, *_args: Any, once: bool, topology: str, **_options: Any) -> None:
        try:
            all_expected = self._join(once) if read_run(ENVIRONMENT.state_dir) else self._start(once, wanted(topology))
        except (SupervisorError, EmbeddedError, BadSetting, DemonstrationFailed) as error:
            self.stderr.write(self.style.ERROR(str(error)))
            sys.exit(1)
        if once and not all_expected:
            sys.exit(1)

    def _join(self, once: bool) -> bool:
        """Use what runs already, and leave it running."""
        state = ENVIRONMENT.state_dir
        say("Something runs here already: the orders go there.")

        def ready() -> bool:
            run = read_run(state)
            return run is not None and run["state"] == "ready"

        if not wait_until(ready, limit=JOIN_LIMIT, every=0.2):
            raise DemonstrationFailed(f"What runs in {state} was not ready within {JOIN_LIMIT:g} s.")
        run = read_run(state)
        url = run["http"] if run else ""
        login = operator_login(state, os.environ)
        all_expected = show(url, login, stop_if_told=lambda: None)
        if not once:
            say(welcome(url, login))
        return all_expected

    def _start(self, once: bool, topology: Topology) -> bool:
        state = ENVIRONMENT.state_dir
        supervisor = supervisor_for(topology, state=state, say=say)
        with supervisor.told_by_signals():
            supervisor.start()
            with watched(supervisor):
                login = supervisor.login or operator_login(state, os.environ)
                all_expected = show(supervisor.url, login, stop_if_told=supervisor.stop_if_told)
                if not once:
                    say(welcome(supervisor.url, login))
                    say("Press Ctrl-C to stop everything.")
                    supervisor.stopping.wait()
                    say("Stopping everything; Ctrl-C again to hurry.")
        say("Stopped.")
        return all_expected


@contextmanager
def watched(supervisor: Supervisor) -> Iterator[None]:
    """What dies meanwhile is started again; afterwards everything is stopped."""
    watcher = threading.Thread(target=supervisor.watch, name="watcher")
    watcher.start()
    try:
        yield
    finally:
        supervisor.stopping.set()
        watcher.join()
        supervisor.stop()


def show(url: str, login: OperatorLogin, *, stop_if_told: Callable[[], None]) -> bool:
    """Place the orders and print the table. Whether every outcome is the expected one."""
    console = Console()
    with console.status("Opening an account") as line:
        demonstration = Demonstration(url, operator_email=login.email, operator_password=login.password)
        outcomes = demonstration.run(doing=line.update, stop_if_told=stop_if_told)
    console.print(table_of(outcomes))
    for outcome in outcomes:
        if not outcome.is_expected:
            wanted = f"{outcome.expected.http} / {outcome.expected.order} / {outcome.expected.payment}"
            console.print(f"{outcome.tried} should have been: {wanted}", style="bold red", highlight=False)
    good = sum(outcome.is_expected for outcome in outcomes)
    console.print(f"{good} of {len(outcomes)} outcomes are the expected ones.", highlight=False)
    return good == len(outcomes)


def table_of(outcomes: list[Outcome]) -> Table:
    """Narrow enough for a terminal of 80 columns."""
    table = Table(title="Orders placed over HTTP", title_justify="left", box=box.SIMPLE)
    for heading in ("Tried", "HTTP", "Order", "Payment", "OK"):
        table.add_column(heading)
    for outcome in outcomes:
        verdict, style = ("yes", "") if outcome.is_expected else ("NO", "bold red")
        table.add_row(outcome.tried, outcome.http, outcome.order, outcome.payment, verdict, style=style)
    return table
