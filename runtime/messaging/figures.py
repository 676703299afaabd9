"""How events fare, for /metrics: what waits to be sent, to be handled or for a person, by domain and by queue."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from kombu import Connection
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from runtime.messaging import broker

__all__ = ["EventFigures"]

log = logging.getLogger(__name__)

_GAUGES = (
    ("outbox_waiting", "Events that are to be sent and are not."),
    ("outbox_oldest_seconds", "How long the oldest of them has waited."),
    ("outbox_attempts", "The most tries that any of them has behind it."),
    ("outbox_unsettled", "Events that were sent and have not come to each subscriber, as far as is known."),
    ("inbox_waiting", "Events that came and are not handled, without the parked ones."),
    ("inbox_oldest_seconds", "How long the oldest of them has waited: the consumer's lag."),
    ("inbox_attempts", "The most tries that any of them has behind it."),
    ("inbox_parked", "Dead letters: events that wait for a person."),
)

# Rows of partial indexes only: what is done is not counted.
_COUNT = """
SELECT o.waiting, o.age, o.attempts,
    (SELECT count(*) FROM messaging_outboxmessage WHERE published_at IS NOT NULL AND settled_at IS NULL),
    i.waiting, i.age, i.attempts,
    (SELECT count(*) FROM messaging_inboxmessage WHERE parked_at IS NOT NULL AND handled_at IS NULL)
FROM (SELECT count(*) AS waiting, COALESCE(extract(epoch FROM clock_now() - min(created_at)), 0) AS age,
             COALESCE(max(attempts), 0) AS attempts
      FROM messaging_outboxmessage WHERE published_at IS NULL AND wanted) o,
     (SELECT count(*) AS waiting, COALESCE(extract(epoch FROM clock_now() - min(received_at)), 0) AS age,
             COALESCE(max(attempts), 0) AS attempts
      FROM messaging_inboxmessage WHERE handled_at IS NULL AND parked_at IS NULL) i
"""


class EventFigures(Collector):
    """Asks the databases of the domains hosted here, and the broker, whenever it is asked. What is away is left out."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from _of_the_databases()
        if settings.BROKER_URL:
            yield from _of_the_broker(settings.BROKER_URL)


def _of_the_databases() -> Iterator[GaugeMetricFamily]:
    labels = ["domain"]
    gauges = [GaugeMetricFamily(f"mitosis_{name}", words, labels=labels) for name, words in _GAUGES]
    up = GaugeMetricFamily("mitosis_database_up", "Whether a domain's database answers: 1 or 0.", labels=labels)
    words = "How long a domain's database took to say how its events fare, the way there included."
    took = GaugeMetricFamily("mitosis_database_answer_seconds", words, labels=labels)
    for domain in settings.HOSTED_DOMAINS:
        began = time.perf_counter()
        found = _counted(domain)
        took.add_metric([domain], time.perf_counter() - began)
        up.add_metric([domain], 1.0 if found else 0.0)
        for gauge, value in zip(gauges, found, strict=False):
            gauge.add_metric([domain], value)
    yield from (*gauges, up, took)


def _of_the_broker(url: str) -> Iterator[GaugeMetricFamily]:
    depths = _depths(url)
    yield GaugeMetricFamily("mitosis_broker_up", "Whether the broker answers: 1 or 0.", value=1.0 if depths else 0.0)
    depth = GaugeMetricFamily("mitosis_queue_depth", "Messages in a queue of the broker.", labels=["queue"])
    for queue, count in depths.items():
        depth.add_metric([queue], count)
    yield depth


def _counted(domain: str) -> list[float]:
    try:
        with connections[domain].cursor() as cursor:
            cursor.execute(_COUNT)
            return [float(value) for value in cursor.fetchone() or ()]
    except DatabaseError as error:
        log.warning("%s cannot be counted: %s", domain, error)
        return []


def _depths(url: str) -> dict[str, int]:
    amqp = broker.speaks_amqp(url)
    queues = [*settings.HOSTED_DOMAINS, *(f"{domain}.dead" for domain in settings.HOSTED_DOMAINS if amqp)]
    connection = Connection(url, connect_timeout=2)
    try:
        with broker.reached(connection, limit=2.0):
            return {queue: broker.depth_of(connection, queue) for queue in queues}
    except broker.outages_of(connection) as error:
        log.warning("the broker's queues cannot be counted: %s", error)
        return {}
