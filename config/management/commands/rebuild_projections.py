"""``manage.py rebuild_projections``: every order's row made anew from its stream, also while orders arrive."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string
from rich.console import Console
from rich.progress import Progress


class Command(BaseCommand):
    help = "Makes the read model of orders anew from the streams, a few rows at a time. Exit 1 where rows had strayed."

    def handle(self, *args: Any, **options: Any) -> None:
        if "orders" not in settings.HOSTED_DOMAINS:
            raise CommandError("Orders are not hosted here: run it where they are.")
        orders = import_string(settings.SERVICES["orders"])
        with Progress(console=Console(stderr=True)) as progress:
            bar = progress.add_task("orders", total=None)
            rebuilt = orders.rebuild_read_model(progress=lambda count: progress.update(bar, completed=count))
        self.stdout.write(f"rows          {rebuilt.rows:>9,}")
        self.stdout.write(f"as they were  {rebuilt.rows - rebuilt.strayed:>9,}")
        self.stdout.write(f"put right     {rebuilt.strayed:>9,}")
        self.stdout.write(f"hash before   {rebuilt.before}")
        self.stdout.write(f"hash after    {rebuilt.after}")
        self.stdout.write(f"longest lock  {rebuilt.longest * 1000:>7.0f} ms")
        if rebuilt.strayed:
            raise CommandError("Some rows did not say what their streams say. They do now.", returncode=1)
