"""
What comes off a queue and never gets as far as a task: not JSON, not a task, or handed out too often.

Celery acknowledges what it cannot read and rejects what it does not know; either way it would be gone. Here it is
written down first. What RabbitMQ itself gave up on is fetched from its dead-letter queues.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery
from celery.worker.consumer import Consumer
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from kombu import Connection, Message

from runtime.messaging import broker, deadletters, inbox
from runtime.messaging.envelope import read
from runtime.messaging.subscriptions import is_known, subscriptions

log = logging.getLogger(__name__)

_AT_ONCE = 100


class KeepingConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer of a worker, which parks what it would drop."""

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        self._keep(message, f"It cannot be read: {exc}")

    def on_unknown_message(self, body: Any, message: Message) -> None:
        self._keep(message, "It is no task.")

    def on_unknown_task(self, body: Any, message: Message, exc: Exception) -> None:
        self._keep(message, f"There is no task {message.headers.get('task')!r}.")

    def on_invalid_task(self, body: Any, message: Message, exc: Exception) -> None:
        self._keep(message, f"It is no task that can be run: {exc}")

    def _keep(self, message: Message, reason: str) -> None:
        consumer = _queue_of(message)
        log.error("a message for %s is parked: %s", consumer, reason)
        try:
            deadletters.keep_unreadable(_body(message), reason, consumer=consumer)
        except DatabaseError:
            log.exception("it goes back to the broker, since %s has no database", consumer)
            message.requeue()
        else:
            message.ack()
        finally:
            # The worker's children are forked from this process, and must not share a connection with it.
            connections.close_all()


def fetch_dead(app: Celery, *, consumer: str) -> bool:
    """
    Take what RabbitMQ gave up on into the inbox, where attempts are counted and people look. Whether there may be more.

    Valkey has no such queue.
    """
    connection = app.connection_for_read(connect_timeout=5)
    # Known before anything is opened.
    if connection.transport.driver_type != "amqp":
        return False
    with broker.reached(connection):
        return _fetch(connection, consumer)


def _fetch(connection: Connection, consumer: str) -> bool:
    with connection.channel() as channel:
        queue = broker.dead_queue_of(consumer)(channel)
        for _ in range(_AT_ONCE):
            message = queue.get()
            if message is None:
                return False
            _take_in(message, consumer)
            message.ack()
    return True


def _take_in(message: Message, consumer: str) -> None:
    """An event gets its row, if it has none yet. A nudge needs none: what it was for is in a row already."""
    try:
        task, (_, arguments, _) = message.headers["task"], message.decode()
        if task != broker.DELIVER:
            return
        envelope = read(arguments["event"])
    except Exception as error:  # whatever its serializer raises: it is not what we write
        deadletters.keep_unreadable(_body(message), f"RabbitMQ gave it up: {error}", consumer=consumer)
        return
    if is_known(envelope.event_type) and consumer in subscriptions().consumers_of(envelope.event_type):
        inbox.note(envelope, consumer=consumer)


def _queue_of(message: Message) -> str:
    """The domain here whose queue has this binding."""
    exchange, key = message.delivery_info.get("exchange"), message.delivery_info.get("routing_key")
    for domain in settings.HOSTED_DOMAINS:
        if key == domain or (exchange, key) in subscriptions().bindings_of(domain):
            return str(domain)
    return str(settings.HOSTED_DOMAINS[0])


def _body(message: Message) -> str | bytes:
    body: Any = message.body
    return body if isinstance(body, str | bytes) else bytes(body)
