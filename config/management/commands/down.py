"""Stop what runs, also what a crashed run left behind."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from config.environment import ENVIRONMENT
from config.supervision.commands import PROJECT
from config.supervision.errors import DoesNotStop, NotRemoved, SupervisorError
from config.supervision.leftovers import clear_leftovers
from runtime.embedded.errors import EmbeddedError
from runtime.embedded.placement import discard
from runtime.embedded.process import is_alive, started_at, wait_until
from runtime.embedded.state import sole_owner

STOP_LIMIT = 90.0


class Command(BaseCommand):
    help = "Stops what `up` started here, also what it left running when it crashed."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--clean", action="store_true", help="then remove the state directory with all its data")

    def handle(self, *_args: Any, clean: bool, **_options: Any) -> None:
        try:
            self._stop()
            if clean:
                self._remove()
        except (SupervisorError, EmbeddedError) as error:
            self.stderr.write(self.style.ERROR(str(error)))
            sys.exit(1)

    def _stop(self) -> None:
        state = ENVIRONMENT.state_dir
        with sole_owner(state) as other:
            if other is None:
                if not clear_leftovers(state, self.stdout.write):
                    self.stdout.write("Nothing was running.")
                return
        self.stdout.write(f"Asking process {other}, which runs everything here, to stop.")
        started = started_at(other)
        os.kill(other, signal.SIGTERM)
        if not wait_until(lambda: not is_alive(other, started), limit=STOP_LIMIT):
            raise DoesNotStop(pid=other, limit=STOP_LIMIT)
        self.stdout.write("Stopped.")

    def _remove(self) -> None:
        state = ENVIRONMENT.state_dir.resolve()
        if any(dear.is_relative_to(state) for dear in (PROJECT, Path.home())):
            raise NotRemoved(state=state)
        for folder in (*discard(state), state):
            shutil.rmtree(folder, ignore_errors=True)
            self.stdout.write(f"Removed {folder}.")
