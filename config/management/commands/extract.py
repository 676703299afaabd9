"""Move a domain to a database and to processes of its own, or to a service elsewhere. The domain is down meanwhile."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from config.environment import Environment
from config.management.commands.absorb import MovingCommand
from config.moves.planning import extraction
from runtime.extraction.journal import Move


class Command(MovingCommand):
    help = "Moves a domain to a database of its own, cold: stops it, copies, compares, switches, starts it there."
    kind = "extract"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--database-url", help="an administrator's URL of the database where it shall live")
        parser.add_argument(
            "--service-url", help="the inside address where others host it; nothing is started here then"
        )

    def plan(self, settings: Environment, options: dict[str, Any]) -> Move:
        return extraction(
            settings,
            domain=options["domain"],
            database_url=options["database_url"],
            service_url=options["service_url"],
        )
