"""Start everything and stay in the foreground."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand

from config.environment import ENVIRONMENT, BadSetting, asked_for
from config.supervision.errors import SupervisorError
from config.supervision.operator_login import OperatorLogin
from config.supervision.plans import supervisor_for
from config.topology import Topology
from runtime.embedded.errors import EmbeddedError


class Command(BaseCommand):
    help = "Starts PostgreSQL, Valkey, web servers, workers and relays, and stops them all on Ctrl-C."
    # The checks look at a database, and none runs yet.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_topology(parser)

    def handle(self, *_args: Any, topology: str, **_options: Any) -> None:
        state = ENVIRONMENT.state_dir
        try:
            supervisor = supervisor_for(wanted(topology), state=state, say=say)
            with supervisor.told_by_signals():
                supervisor.start()
                say(welcome(supervisor.url, supervisor.login))
                say("Press Ctrl-C to stop everything.")
                try:
                    supervisor.watch()
                finally:
                    say("Stopping everything; Ctrl-C again to hurry.")
                    supervisor.stop()
        except (SupervisorError, EmbeddedError, BadSetting) as error:
            self.stderr.write(self.style.ERROR(str(error)))
            sys.exit(1)
        say("Stopped.")


def add_topology(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--topology",
        default="",
        help="which domains share their processes, as in 'orders|payments|users,inventory' (default: TOPOLOGY)",
    )


def wanted(topology: str) -> Topology:
    """The command line's, or the environment's. Raises BadSetting."""
    if not topology:
        return ENVIRONMENT.topology
    return asked_for(topology, ENVIRONMENT.hosted_domains, ENVIRONMENT.extracted)


def say(words: str) -> None:
    """Print at once. A terminal that has gone away is no reason to stop."""
    with suppress(OSError):
        print(words, flush=True)


def welcome(url: str, login: OperatorLogin | None) -> str:
    """Where everything is, lined up."""
    rows = [("API", f"{url}/api"), ("API docs", f"{url}/api/docs"), ("Health", f"{url}/health/ready")]
    if login is not None:
        rows.append(("Operator", login.email))
        rows.append(("Password", _where(login)))
    width = max(len(name) for name, _ in rows)
    return "\n".join(["", *(f"  {name:<{width}}  {value}" for name, value in rows), ""])


def _where(login: OperatorLogin) -> str:
    if login.kept_in is None:
        return "as OPERATOR_PASSWORD says"
    return f"{login.password} (kept in {login.kept_in})" if login.is_new else f"in {login.kept_in}"
