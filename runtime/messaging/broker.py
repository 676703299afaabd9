"""
The broker's side: an exchange for each domain, a queue for each consumer, and how an event is worded on the wire.

On the wire an event is a Celery message (protocol 2) for the task ``mitosis.deliver`` with ``{"event": envelope}``.

The same topology on both brokers. RabbitMQ keeps each queue on disk and in several copies (a quorum queue) and moves
what it has handed out too often to ``<domain>.dead`` (rabbitmq.com/docs/quorum-queues); Valkey, the embedded one, knows
neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from kombu import Connection, Exchange, Producer, Queue, binding
from kombu.exceptions import OperationalError as BrokerError

from contracts._base import new_id
from runtime.messaging.envelope import Envelope, write
from runtime.messaging.subscriptions import subscriptions

DELIVER = "mitosis.deliver"

CONFIRM_TIMEOUT = 5.0
"""Seconds: a broker that has no room left takes a message and does not say so, for as long as that lasts."""

_SAID = frozenset({"lang", "task", "id", "root_id", "kwargsrepr", "origin", "ignore_result"})
"""Of the headers of Celery's protocol 2, those that say something here."""

DELIVERY_LIMIT = 20
"""
How often RabbitMQ hands a message out before it calls it dead. Attempts are counted in the inbox, which gives up
sooner: this is for what never gets as far as the inbox. RabbitMQ 4 has this limit by itself, 3 has none.
"""


def speaks_amqp(url: str) -> bool:
    return url.partition(":")[0] in {"amqp", "amqps", "pyamqp"}


def exchange_of(domain: str) -> Exchange:
    """Topic and durable, as the seed has it."""
    return Exchange(domain, type="topic", durable=True)


def queue_of(consumer: str, *, amqp: bool = False) -> Queue:
    """The consumer's one durable queue: for its own tasks, and bound to each event it reacts to."""
    told = [
        binding(exchange_of(source), routing_key=routing_key)
        for source, routing_key in subscriptions().bindings_of(consumer)
    ]
    # Kombu forgets a queue's own exchange where bindings are given, so it is one of them.
    return Queue(
        consumer,
        bindings=[binding(_own_exchange(consumer), routing_key=consumer), *told],
        durable=True,
        queue_arguments=_kept(consumer) if amqp else None,
    )


def dead_queue_of(consumer: str) -> Queue:
    """Where RabbitMQ puts what it gave up on. The relay takes it from there into the inbox."""
    exchange = Exchange(f"{consumer}.dead", type="fanout", durable=True)
    return Queue(exchange.name, exchange, durable=True, queue_arguments={"x-queue-type": "quorum"})


def _kept(consumer: str) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": f"{consumer}.dead",
        # A dead letter is confirmed by the queue it goes to before it leaves this one; needs the overflow below.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _own_exchange(consumer: str) -> Exchange:
    return Exchange(f"{consumer}.tasks", type="direct", durable=True)


def outages_of(connection: Connection) -> tuple[type[BaseException], ...]:
    """What says that a broker is out of reach. The transport has errors of its own for it: redis' are no OSError."""
    return (BrokerError, OSError, *connection.connection_errors)


@contextmanager
def reached(connection: Connection, *, limit: float = 5.0) -> Iterator[Connection]:
    """This connection, open, and released at the end. Raises what ``outages_of`` lists, after ``limit`` seconds."""
    try:
        connection.ensure_connection(max_retries=1, timeout=limit)
        yield connection
    finally:
        connection.release()


def declare(connection: Connection, consumers: tuple[str, ...]) -> None:
    """Make exchanges, queues and bindings, so that nothing is sent into the void. May be run again at any time."""
    amqp = connection.transport.driver_type == "amqp"
    with connection.channel() as channel:
        for consumer in consumers:
            # Before the queue that sends its dead letters there.
            if amqp:
                dead_queue_of(consumer)(channel).declare()
            queue_of(consumer, amqp=amqp)(channel).declare()


def depth_of(connection: Connection, consumer: str) -> int:
    """How many messages wait in this consumer's queue; none, where there is no such queue."""
    # A channel of its own: RabbitMQ closes the one on which a queue is looked for in vain.
    channel = connection.channel()
    try:
        return int(channel.queue_declare(consumer, passive=True).message_count)
    except connection.channel_errors:
        return 0
    finally:
        channel.close()


def wording(app: Celery, task: str, arguments: dict[str, Any], *, task_id: str, about: str) -> Any:
    """A task as Celery words it: headers, properties and body. ``about`` is what its headers say of the arguments."""
    # Left to itself, Celery would write them once more into the headers, as Python would print them.
    message = app.amqp.create_task_message(
        task_id, task, args=(), kwargs=arguments, argsrepr="", kwargsrepr=about, ignore_result=True
    )
    # What is not said is taken for nothing by whoever reads it; to write, carry and read it costs each of them.
    return message._replace(headers={name: value for name, value in message.headers.items() if name in _SAID})


def event_wording(app: Celery, envelope: Envelope) -> Any:
    event_id = str(envelope.event_id)
    about = f"{envelope.event_type} {event_id}"
    return wording(app, DELIVER, {"event": write(envelope)}, task_id=event_id, about=about)


def put(producer: Producer, message: Any, *, exchange: str, routing_key: str, mandatory: bool = False) -> None:
    """One message to an exchange. Raises what kombu raises; then it may have been sent all the same."""
    producer.publish(
        message.body,
        exchange=exchange,
        routing_key=routing_key,
        headers=message.headers,
        serializer="json",
        delivery_mode="persistent",
        mandatory=mandatory,
        confirm_timeout=CONFIRM_TIMEOUT,
        **message.properties,
    )


def send_to_queue(app: Celery, task: str, *, to: str, **arguments: Any) -> None:
    """A task for one domain's workers alone. Raises what kombu raises."""
    message = wording(app, task, arguments, task_id=str(new_id()), about=repr(arguments))
    with app.producer_pool.acquire(block=True) as producer:
        put(producer, message, exchange=_own_exchange(to).name, routing_key=to)
