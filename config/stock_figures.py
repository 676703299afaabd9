"""How the stock fares, for /metrics, where inventory is hosted."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.conf import settings
from django.db import Error as DatabaseError
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

__all__ = ["StockFigures"]

log = logging.getLogger(__name__)


class StockFigures(Collector):
    """Asks inventory's database whenever it is asked. What is away is left out."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        words = "Products whose stock is not what its movements add up to, as far as was looked."
        gauge = GaugeMetricFamily("mitosis_stock_drifted", words)
        if "inventory" in settings.HOSTED_DOMAINS:
            from apps.inventory.service import SERVICE

            try:
                gauge.add_metric([], float(SERVICE.drifted()))
            except DatabaseError as error:
                log.warning("stock that drifted cannot be counted: %s", error)
        yield gauge
