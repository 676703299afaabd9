"""
Sends many events at once and tells for each what became of it.

A broker's confirm is waited for, since what is not confirmed may be lost (rabbitmq.com/docs/confirms); for all of a
wave together, since a wait for each would cost more than the sending. What no queue wanted comes back: RabbitMQ
confirms it all the same, so that the confirm alone would prove nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from celery import Celery
from kombu import Connection, Producer

from runtime.messaging import broker
from runtime.messaging.envelope import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An event and where it goes."""

    envelope: Envelope
    exchange: str
    routing_key: str


@dataclass(slots=True)
class Outcome:
    """What is known of the events of a batch: sent and kept by the broker, or refused and why. Of others, nothing."""

    sent: set[UUID] = field(default_factory=set)
    refused: dict[UUID, str] = field(default_factory=dict)


class Sender(Protocol):
    def send(self, wave: Sequence[Letter], outcome: Outcome) -> None:
        """
        Send these, whose order among each other does not matter, and note what became of them.

        Raises the transport's errors; what is not in the outcome then may have been sent or not.
        """
        ...


class NoConfirm(OSError):
    """The broker did not say in time that it has the events."""


def sender_for(app: Celery, connection: Connection) -> Sender:
    if connection.transport.driver_type == "amqp":
        return ConfirmedSender(app, connection)
    return PlainSender(app, connection)


class PlainSender:
    """For a broker that answers each command, as Valkey does."""

    def __init__(self, app: Celery, connection: Connection) -> None:
        self._app = app
        self._producer = Producer(connection)
        self._outages = (*broker.outages_of(connection), *connection.channel_errors)

    def send(self, wave: Sequence[Letter], outcome: Outcome) -> None:
        for letter in wave:
            try:
                broker.put(self._producer, broker.event_wording(self._app, letter.envelope), **_to(letter))
            except self._outages:
                raise
            except Exception as error:  # it cannot be written, whatever the reason: that is its own fault
                outcome.refused[letter.envelope.event_id] = f"{type(error).__name__}: {error}"
            else:
                outcome.sent.add(letter.envelope.event_id)


class ConfirmedSender:
    """For RabbitMQ: a channel of its own in confirm mode, one count of what was sent on it and is not confirmed."""

    def __init__(self, app: Celery, connection: Connection) -> None:
        self._app = app
        self._connection = connection
        self._channel: Any = connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._confirmed)
        self._channel.events["basic_nack"].add(self._not_taken)
        self._channel.events["basic_return"].add(self._returned)
        self._producer = Producer(self._channel, auto_declare=False)
        self._count = 0
        self._open: dict[int, UUID] = {}
        self._outcome = Outcome()

    def send(self, wave: Sequence[Letter], outcome: Outcome) -> None:
        self._outcome = outcome
        for letter in wave:
            try:
                message = broker.event_wording(self._app, letter.envelope)
            except Exception as error:  # it cannot be written, whatever the reason: that is its own fault
                outcome.refused[letter.envelope.event_id] = f"{type(error).__name__}: {error}"
                continue
            # Counted before it is sent: the first on a channel is 1 (AMQP 0-9-1, extension "publisher confirms").
            self._count += 1
            self._open[self._count] = letter.envelope.event_id
            broker.put(self._producer, message, **_to(letter), mandatory=True)
        self._await_confirms()

    def _await_confirms(self) -> None:
        until = time.monotonic() + broker.CONFIRM_TIMEOUT
        while self._open:
            left = until - time.monotonic()
            if left <= 0:
                raise NoConfirm(f"{len(self._open)} events were not confirmed within {broker.CONFIRM_TIMEOUT:g} s")
            try:
                self._connection.drain_events(timeout=left)
            except TimeoutError:
                continue

    def _confirmed(self, tag: int, multiple: bool) -> None:
        for event_id in self._closed(tag, multiple):
            # A message that came back is confirmed as well, afterwards.
            if event_id not in self._outcome.refused:
                self._outcome.sent.add(event_id)

    def _not_taken(self, tag: int, multiple: bool) -> None:
        for event_id in self._closed(tag, multiple):
            self._outcome.refused[event_id] = "The broker has no room for it."

    def _returned(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        event_id = UUID(message.properties["correlation_id"])
        self._outcome.refused[event_id] = f"No queue is bound to {routing_key!r} of exchange {exchange!r}."

    def _closed(self, tag: int, multiple: bool) -> list[UUID]:
        if not multiple:
            return [self._open.pop(tag)] if tag in self._open else []
        return [self._open.pop(each) for each in sorted(self._open) if each <= tag]


def _to(letter: Letter) -> dict[str, Any]:
    return {"exchange": letter.exchange, "routing_key": letter.routing_key}
