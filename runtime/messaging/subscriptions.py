"""Who wants to hear what. The table comes from config; each consumer's handlers are compared with it at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from django.conf import settings
from django.utils.module_loading import import_string

from contracts._base import Event
from runtime.codec.upcasting import Upcasters


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """``by_consumer`` lists, for each domain, the events it reacts to."""

    by_consumer: Mapping[str, tuple[type[Event], ...]]

    def consumers_of(self, event_type: str) -> tuple[str, ...]:
        return tuple(
            consumer for consumer, events in self.by_consumer.items() if any(e.name == event_type for e in events)
        )

    def types_of(self, consumer: str, *, source: str) -> tuple[str, ...]:
        """The names of the events of one exchange that this consumer reacts to."""
        return tuple(event.name for event in self.by_consumer.get(consumer, ()) if event.exchange == source)

    def bindings_of(self, consumer: str) -> tuple[tuple[str, str], ...]:
        """(exchange, routing key) of each event this consumer's queue has to be bound to."""
        return tuple((event.exchange, event.routing_key) for event in self.by_consumer.get(consumer, ()))


class Handlers:
    """
    What a domain does when another one announces something.

    ``HANDLERS = Handlers({OrderShipped: service.SERVICE.order_shipped})``. A handler is called with the event inside
    an open transaction on its own alias: what it writes there, and what it publishes, happens once for each event.
    ``upcasters`` bring events that were told in an earlier version up to the one that the handlers know.
    """

    def __init__(
        self, by_event: Mapping[type[Event], Callable[[Any], None]], *, upcasters: Upcasters | None = None
    ) -> None:
        self._by_name = {event.name: (event, handler) for event, handler in by_event.items()}
        self.upcasters: Upcasters = upcasters or {}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._by_name)

    def find(self, event_type: str) -> tuple[type[Event], Callable[[Any], None]]:
        """Raises KeyError for an event that this domain does not react to."""
        return self._by_name[event_type]


@cache
def subscriptions() -> Subscriptions:
    return Subscriptions(import_string(settings.SUBSCRIPTIONS))


@cache
def handlers_of(consumer: str) -> Handlers:
    return cast(Handlers, import_string(f"apps.{consumer}.handlers.HANDLERS"))


def is_known(event_type: str) -> bool:
    """Whether there is such an event at all, whoever reacts to it."""
    return event_type in _known()


def routing_key_of(event_type: str) -> str:
    """Nothing, for an event that is not known here."""
    return _known().get(event_type, "")


@cache
def _known() -> Mapping[str, str]:
    events: tuple[type[Event], ...] = import_string(settings.EVENTS)
    return {event.name: event.routing_key for event in events}
