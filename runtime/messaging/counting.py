"""
How events go, counted for /metrics as it happens: each that became true, and each try of a consumer's.

What an event says of the shop (an order that was cancelled, and why) is counted with it. Config says which do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from contracts._base import Event
from runtime.telemetry.metrics import Counter
from runtime.telemetry.rates import counted_by_rates, for_each_process

__all__ = ["EventFigure", "count_once_true", "count_try"]

_EVENTS = Counter("mitosis_events", "Events that became true, by domain and type.", ["domain", "event_type"])
_TRIES = Counter(
    "mitosis_inbox_tries",
    "Tries of an event, by its consumer, type and result: handled, waiting (for an earlier one), failed or parked.",
    ["domain", "event_type", "result"],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFigure:
    """
    What one type of event adds 1 to. ``labels`` are the values of the counter's labels; ``{reason}`` stands for the
    event's field of that name, which must be a stable code: each value is a series of its own.
    """

    counter: Counter
    labels: tuple[str, ...] = ()

    def count(self, event: Event) -> None:
        values = [value.format_map(_Fields(event)) for value in self.labels]
        (self.counter.labels(*values) if values else self.counter).inc()


class _Fields(dict[str, object]):
    def __init__(self, event: Event) -> None:
        self._event = event

    def __missing__(self, name: str) -> object:
        return getattr(self._event, name)


def count_once_true(event: Event, *, using: str) -> None:
    """When this transaction commits, and only then."""
    transaction.on_commit(partial(_count, event, using), using=using, robust=True)


@cache
def _events(domain: str, event_type: str) -> Counter:
    return _EVENTS.labels(domain, event_type)


def _count(event: Event, domain: str) -> None:
    _events(domain, event.name).inc()
    figure = _figures().get(event.name)
    if figure is not None:
        figure.count(event)


@for_each_process
def _tries(consumer: str, event_type: str, result: str) -> Counter:
    return counted_by_rates(_TRIES.labels(consumer, event_type, result), "event", consumer, event_type, result)


def count_try(event_type: str, *, consumer: str, result: str) -> None:
    _tries(consumer, event_type, result).inc()


@cache
def _figures() -> Mapping[str, EventFigure]:
    found: Mapping[str, EventFigure] = import_string(settings.EVENT_FIGURES)
    return found
