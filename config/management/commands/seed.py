"""``manage.py seed``: an operator and the sample catalogue. Safe to run again: what is there stays as it is."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from config.catalogue import SAMPLES
from contracts._base import Money, Rejected


class Command(BaseCommand):
    help = "Makes the operator named by OPERATOR_EMAIL and OPERATOR_PASSWORD, and loads the sample catalogue."

    def handle(self, *args: Any, **options: Any) -> None:
        if "users" in settings.HOSTED_DOMAINS:
            self._operator()
        if "inventory" in settings.HOSTED_DOMAINS:
            self._catalogue()

    def _operator(self) -> None:
        email, password = os.environ.get("OPERATOR_EMAIL"), os.environ.get("OPERATOR_PASSWORD")
        if not email or not password:
            self.stdout.write("No operator was made: OPERATOR_EMAIL and OPERATOR_PASSWORD are not set.")
            return
        import_string(settings.SERVICES["users"]).ensure_operator(email=email, password=password)
        self.stdout.write(f"operator   {email}")

    def _catalogue(self) -> None:
        inventory = import_string(settings.SERVICES["inventory"])
        added = 0
        for sample in SAMPLES:
            try:
                inventory.add_product(
                    sku=sample.sku,
                    name=sample.name,
                    description=sample.description,
                    price=Money.parse(sample.price, settings.SHOP_CURRENCY),
                    active=True,
                )
                added += 1
            except Rejected:
                pass  # it is there already, perhaps at another price by now
            inventory.open_stock(key="sample", sku=sample.sku, quantity=sample.units)
        self.stdout.write(f"catalogue  {added} products added, {len(SAMPLES) - added} were there")
