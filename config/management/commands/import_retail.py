"""``manage.py import_retail FILE``: a history's products with their opening stock, and its customers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string
from rich.console import Console
from rich.progress import track

from config.retail.history import NotASalesHistory, customer_id, read
from contracts._base import Money, Rejected


class Command(BaseCommand):
    help = "Loads products, opening stock and customers of a sales history. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="the history, .csv or .csv.xz")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            history = read(options["file"])
        except (NotASalesHistory, OSError) as error:
            raise CommandError(str(error)) from error
        console = Console(stderr=True)
        users = import_string(settings.SERVICES["users"])
        inventory = import_string(settings.SERVICES["inventory"])
        units, added = history.units_sold(), 0
        products = history.products()
        for sku, (name, price) in track(products.items(), description="products ", console=console):
            try:
                inventory.add_product(
                    sku=sku, name=name, description="", price=Money(price, settings.SHOP_CURRENCY), active=True
                )
                added += 1
            except Rejected:
                pass  # an earlier file had it
            inventory.open_stock(key=f"retail-{history.digest[:32]}", sku=sku, quantity=units[sku])
        registered = 0
        for customer in track(history.customers, description="customers", console=console):
            registered += users.import_account(
                user_id=customer_id(customer),
                email=f"customer-{customer}@online-retail.example",
                name=f"Customer {customer}",
            )
        self.stdout.write(f"products   {len(products):>7,}   added {added:,}, there before {len(products) - added:,}")
        self.stdout.write(f"units      {sum(units.values()):>7,}   opening stock, counted once for this file")
        self.stdout.write(
            f"customers  {len(history.customers):>7,}   added {registered:,},"
            f" there before {len(history.customers) - registered:,}"
        )
