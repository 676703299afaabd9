"""
The broker's side: an exchange for each domain, a queue for each consumer, and how an event is worded on the wire.

On the wire an event is a Celery message (protocol 2) for the task ``mitosis.deliver`` with ``{"event": envelope}``.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu import Connection, Exchange, Producer, Queue, binding

from contracts._base import new_id
from runtime.messaging.envelope import Envelope, write
from runtime.messaging.subscriptions import subscriptions

DELIVER = "mitosis.deliver"


def exchange_of(domain: str) -> Exchange:
    """Topic and durable, as the seed has it."""
    return Exchange(domain, type="topic", durable=True)


def queue_of(consumer: str) -> Queue:
    """The consumer's one durable queue: for its own tasks, and bound to each event it reacts to."""
    told = [
        binding(exchange_of(source), routing_key=routing_key)
        for source, routing_key in subscriptions().bindings_of(consumer)
    ]
    # Kombu forgets a queue's own exchange where bindings are given, so it is one of them.
    return Queue(consumer, bindings=[binding(_own_exchange(consumer), routing_key=consumer), *told], durable=True)


def _own_exchange(consumer: str) -> Exchange:
    return Exchange(f"{consumer}.tasks", type="direct", durable=True)


def declare(connection: Connection, consumers: tuple[str, ...]) -> None:
    """Make exchanges, queues and bindings, so that nothing is sent into the void. May be run again at any time."""
    with connection.channel() as channel:
        for consumer in consumers:
            queue_of(consumer)(channel).declare()


def send(app: Celery, producer: Producer, envelope: Envelope, *, exchange: str, routing_key: str) -> None:
    """One event to its exchange. Raises what kombu raises; then it may have been sent all the same."""
    _send(
        app,
        producer,
        DELIVER,
        {"event": write(envelope)},
        task_id=str(envelope.event_id),
        exchange=exchange_of(exchange),
        routing_key=routing_key,
    )


def send_to_queue(app: Celery, task: str, *, to: str, **arguments: Any) -> None:
    """A task for one domain's workers alone. Raises what kombu raises."""
    with app.producer_pool.acquire(block=True) as producer:
        _send(
            app,
            producer,
            task,
            arguments,
            task_id=str(new_id()),
            exchange=_own_exchange(to),
            routing_key=to,
        )


def _send(
    app: Celery,
    producer: Producer,
    task: str,
    arguments: dict[str, Any],
    *,
    task_id: str,
    exchange: Exchange,
    **to: Any,
) -> None:
    message = app.amqp.create_task_message(task_id, task, args=(), kwargs=arguments, ignore_result=True)
    app.amqp.send_task_message(
        producer, task, message, exchange=exchange, serializer="json", delivery_mode="persistent", retry=False, **to
    )
