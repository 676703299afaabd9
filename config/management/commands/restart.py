"""``manage.py restart [NAME ...]``: what runs here is started anew, one process after the other, and nobody notices."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError

from config.environment import ENVIRONMENT
from config.supervision.leftovers import is_server
from config.supervision.restarting import Restart, ask, is_meant, progress
from runtime.embedded.errors import EmbeddedError
from runtime.embedded.state import read_run

LOOK_EVERY = 0.1
_HEEDED_WITHIN = 10.0


class Command(BaseCommand):
    help = "Starts web servers, workers, relays and the gateway anew, one by one, each ready before the next."
    # What is broken in the code is found out by the new process, which then does not take over.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "names",
            nargs="*",
            metavar="NAME",
            help="a process's name as in run.json (web-orders, gateway), or a role (web); default: all but the servers",
        )

    def handle(self, *_args: Any, names: Sequence[str], **_options: Any) -> None:
        state = ENVIRONMENT.state_dir
        try:
            wanted: Restart = {"id": str(uuid4()), "names": _named(state, names), "state": "asked", "done": []}
            if other := ask(state, wanted):
                raise CommandError(f"Another restart is not over yet: {', '.join(other['names'])}.")
            self._follow(state, wanted)
        except EmbeddedError as error:
            raise CommandError(str(error)) from error

    def _follow(self, state: Path, wanted: Restart) -> None:
        told, heeded_until = 0, time.monotonic() + _HEEDED_WITHIN
        while True:
            now = progress(state)
            if now is None or now["id"] != wanted["id"] or read_run(state) is None:
                raise CommandError("The supervisor has ended; what it had begun is not known.")
            for name in now["done"][told:]:
                self.stdout.write(f"{name} was started anew.")
            told = len(now["done"])
            if now["state"] == "failed":
                raise CommandError(now.get("failure", "It failed."))
            if now["state"] == "done":
                return
            if now["state"] == "asked" and time.monotonic() >= heeded_until:
                raise CommandError(f"The supervisor has not begun within {_HEEDED_WITHIN:g} s.")
            time.sleep(LOOK_EVERY)


def _named(state: Path, names: Sequence[str]) -> list[str]:
    """In the order in which they were started. Raises CommandError."""
    run = read_run(state)
    if run is None:
        raise CommandError(f"Nothing runs in {state}.")
    if run["state"] != "ready":
        raise CommandError(f"What runs in {state} is still being started.")
    there = list(dict.fromkeys(each["name"] for each in run["processes"] if not is_server(each["name"])))
    for name in names:
        if not any(is_meant(each, name) for each in there):
            raise CommandError(f"{name!r} is none of {', '.join(there)}, and no role of theirs.")
    return [each for each in there if not names or any(is_meant(each, name) for name in names)]
