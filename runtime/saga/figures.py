"""How processes fare, for /metrics: how many are under way, since when, and how many wait for a person."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

__all__ = ["SagaFigures"]

log = logging.getLogger(__name__)

# Rows of partial indexes only: what has ended is not counted.
_COUNT = """
SELECT definition, state, count(*), max(extract(epoch FROM clock_now() - step_at)), max(attempts)
FROM saga_sagarun WHERE state IN ('running', 'compensating') GROUP BY definition, state
UNION ALL
SELECT definition, state, count(*), max(extract(epoch FROM clock_now() - updated_at)), max(attempts)
FROM saga_sagarun WHERE state = 'needs_attention' GROUP BY definition, state
"""
_GAUGES = (
    ("sagas", "Processes that have not ended, by definition and state; needs_attention waits for a person."),
    ("saga_oldest_seconds", "How long the one that has waited longest stands at its step."),
    ("saga_attempts", "The most tries that any of them has behind it."),
)


class SagaFigures(Collector):
    """Asks the databases of the domains hosted here, whenever it is asked. What is away is left out."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = ["domain", "definition", "state"]
        gauges = [GaugeMetricFamily(f"mitosis_{name}", words, labels=labels) for name, words in _GAUGES]
        for domain in settings.HOSTED_DOMAINS:
            for definition, state, *values in _counted(domain):
                for gauge, value in zip(gauges, values, strict=True):
                    gauge.add_metric([domain, definition, state], float(value))
        yield from gauges


def _counted(domain: str) -> list[tuple[str, str, int, float, int]]:
    try:
        with connections[domain].cursor() as cursor:
            cursor.execute(_COUNT)
            return list(cursor.fetchall())
    except DatabaseError as error:
        log.warning("the processes of %s cannot be counted: %s", domain, error)
        return []
