"""The broker of a run: it keeps messages in no order, loses some, and has some twice. And those who send through it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from config.celery import app
from runtime.messaging import inbox
from runtime.messaging.envelope import read, write
from runtime.messaging.reconciler import Reconciler
from runtime.messaging.relay import Relay
from runtime.messaging.senders import Letter, NoConfirm, Outcome
from runtime.messaging.subscriptions import subscriptions


@dataclass(frozen=True, eq=False)
class Message:
    """``work`` is what a worker does with it. It is there again where the worker dies before it has done it."""

    name: str
    work: Callable[[], None]


class Broker:
    def __init__(self, world: Any) -> None:
        self._world = world
        self.messages: list[Message] = []

    def put(self, name: str, work: Callable[[], None]) -> None:
        self.messages.append(Message(name, work))

    def take(self) -> Message:
        """The oldest; or another, which overtakes it."""
        position = 0
        if len(self.messages) > 1 and self._world.dice.fault("event overtakes another"):
            position = self._world.dice.number(1, len(self.messages) - 1)
        return self.messages.pop(position)

    def nudge(self, name: str, work: Callable[[], None]) -> None:
        """A word to a worker, which nothing depends on."""
        if self._world.fault("nudge is lost"):
            return
        for _ in range(2 if self._world.fault("nudge comes twice") else 1):
            self.put(name, work)

    # --- As the relay's sender --------------------------------------------------------------------------------------

    def send(self, wave: Sequence[Letter], outcome: Outcome) -> None:
        for letter in wave:
            if self._world.fault("broker is away"):
                raise NoConfirm("the broker is away")
            self._deliver(letter)
            if self._world.fault("broker has it and does not confirm"):
                raise NoConfirm("not confirmed")
            outcome.sent.add(letter.envelope.event_id)

    def _deliver(self, letter: Letter) -> None:
        envelope = read(json.loads(json.dumps(write(letter.envelope))))
        for consumer in subscriptions().consumers_of(envelope.event_type):
            if self._world.fault("broker loses an event"):
                continue
            for _ in range(2 if self._world.fault("event comes twice") else 1):
                name = f"{envelope.event_type} of {self._world.trace.call(envelope.subject, 'subject')} to {consumer}"
                self.put(name, partial(inbox.receive, envelope, consumer=consumer))


class SimulatedRelay(Relay):
    """The real one, on a broker that is the run's."""

    broker: Broker

    def _connected(self) -> Any:
        return self.broker

    def _lose(self, error: Exception) -> None:
        self._not_before = 0.0


class SimulatedReconciler(Reconciler):
    """The real one; it asks the run's broker how much is on its way."""

    broker: Broker

    def _queue_is_empty(self, consumer: str) -> bool:
        return not any(f" to {consumer}" in message.name for message in self.broker.messages)

    def _with_broker(self, look: Callable[[Any], Any]) -> Any:
        return None


_RELAYS = {domain: SimulatedRelay(app=app, domain=domain) for domain in ("users", "inventory", "payments", "orders")}


def relay_of(domain: str, broker: Broker) -> SimulatedRelay:
    relay = copy.copy(_RELAYS[domain])
    relay.broker = broker
    return relay


def reconciler_of(domain: str, broker: Broker) -> SimulatedReconciler:
    reconciler = SimulatedReconciler(app=app, domain=domain)
    reconciler.broker = broker
    return reconciler
