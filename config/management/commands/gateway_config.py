"""``manage.py gateway_config``: HAProxy's files for the gateway, printed, written or checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.gateway import describe, read_group
from runtime.embedded.errors import EmbeddedError
from runtime.gateway.configuration import MAIN_FILE, render
from runtime.gateway.program import ConfigurationRefused, HaproxyMissing, check, command, environment, reload, write
from runtime.gateway.site import BadSite, Site


class Command(BaseCommand):
    help = "Prints haproxy.cfg; --write writes it with the files that it names, --check has HAProxy look at them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1:8000", help="where the gateway answers (127.0.0.1:8000)")
        parser.add_argument(
            "--group",
            action="append",
            default=[],
            metavar="GROUP",
            help="users+inventory=10.0.0.7:8000,10.0.0.8:8000 or orders=dns:orders.shop.svc:8000; once for each group",
        )
        parser.add_argument("--metrics", help="where HAProxy's own figures are read, as in 127.0.0.1:9101")
        parser.add_argument("--nameserver", action="append", default=[], help="10.0.0.2:53; else /etc/resolv.conf")
        parser.add_argument("--folder", type=Path, help="where to write (gateway below STATE_DIR)")
        parser.add_argument("--write", action="store_true", help="write the files instead of printing the first")
        parser.add_argument("--check", action="store_true", help="exit 1 where HAProxy refuses them")
        parser.add_argument("--run", action="store_true", help="check, write, and become HAProxy: for a container")
        parser.add_argument(
            "--reload", type=int, metavar="PID", help="write, and have this running HAProxy take it over"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            site = describe(
                bind=options["bind"],
                groups=[read_group(text) for text in options["group"]],
                folder=options["folder"] or settings.STATE_DIR / "gateway",
                metrics=options["metrics"],
                nameservers=options["nameserver"],
            )
            if options["run"]:
                self._run(site)
            self._do(site, checked=options["check"], written=options["write"], pid=options["reload"])
        except (BadSite, ConfigurationRefused, HaproxyMissing, EmbeddedError, ProcessLookupError) as error:
            raise CommandError(str(error)) from error

    def _run(self, site: Site) -> NoReturn:
        check(site)
        arguments = command(write(site))
        os.execve(arguments[0], arguments, environment())  # noqa: S606

    def _do(self, site: Site, *, checked: bool, written: bool, pid: int | None) -> None:
        if pid is not None:
            reload(site, pid=pid)
            self.stdout.write(f"The gateway {pid} goes by {site.folder / MAIN_FILE} now.")
            return
        if checked:
            check(site)
        if written:
            self.stdout.write(str(write(site)))
        elif checked:
            self.stdout.write("HAProxy accepts the configuration.")
        else:
            self.stdout.write(render(site)[MAIN_FILE])
