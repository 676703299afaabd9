"""On RabbitMQ: what is not confirmed, not routed, given up or lost with the broker is sent again or shown."""

from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from django.db import transaction
from kombu import Connection

from runtime.databases.clock import Now
from runtime.messaging import broker, deadletters, letterbox, publish, reconciler
from runtime.messaging.models import InboxMessage, OutboxMessage
from runtime.messaging.reconciler import Reconciler
from runtime.messaging.relay import Relay
from runtime.pulses.beating import Heart
from runtime.pulses.models import Pulse
from runtime.pulses.reading import ailments
from tests.runtime.messaging.small_world import Happened

pytestmark = pytest.mark.xdist_group("rabbit")


class House:
    """An application on a virtual host of its own."""

    def __init__(self, rabbit: Any) -> None:
        self.rabbit = rabbit
        self.url = rabbit.new_vhost()
        self.vhost = self.url.rpartition("/")[2]
        self.app = Celery("house", broker=self.url, set_as_current=False)
        self.relay = Relay(app=self.app, domain="orders")
        self.reconciler = Reconciler(app=self.app, domain="orders")

    def take(self, queue: str = "inventory", *, ack: bool = True) -> list[str]:
        """The events in a queue, as in ``a1``; without ``ack`` they are refused, and so dead letters."""
        found = []
        with Connection(self.url) as connection, connection.channel() as channel:
            bound = broker.queue_of(queue, amqp=True)(channel)
            while (message := bound.get(accept=["json"])) is not None:
                _ = message.ack() if ack else message.reject()
                event = message.payload[1]["event"]["data"]
                found.append(f"{event['thing']}{event['number']}")
        return found

    def unbind(self, consumer: str) -> None:
        with Connection(self.url) as connection, connection.channel() as channel:
            channel.queue_unbind(consumer, exchange="orders", routing_key="test.happened")


@pytest.fixture
def house(world, rabbit) -> House:
    return House(rabbit)


def tell(*names: str) -> None:
    for name in names:
        with transaction.atomic(using="orders"):
            publish(Happened(thing=name[0], number=int(name[1:])), using="orders")


def unsent() -> list[tuple[str, int, str | None]]:
    rows = OutboxMessage.objects.using("orders").filter(published_at=None).order_by("subject", "sequence")
    return [(f"{row.subject}{row.sequence}", row.attempts, row.error) for row in rows]


def make_due() -> None:
    OutboxMessage.objects.using("orders").filter(published_at=None).update(due_at=Now())


def long_ago(seconds: float = 70) -> None:
    """What was sent was sent so long ago."""
    rows = OutboxMessage.objects.using("orders").filter(published_at__isnull=False)
    for row in rows:
        row.published_at -= timedelta(seconds=seconds)
        row.save(using="orders", update_fields=["published_at"])


def test_events_arrive_in_durable_quorum_queues_in_each_subjects_order(house):
    tell("a1", "b1", "a2", "a3")

    house.relay.publish_batch()

    for consumer in ("inventory", "payments"):
        found = house.take(consumer)
        assert [name for name in found if name[0] == "a"] == ["a1", "a2", "a3"]
        assert sorted(found) == ["a1", "a2", "a3", "b1"]
    assert unsent() == []
    listed = house.rabbit.control("list_queues", "-q", "-p", house.vhost, "name", "type", "durable", "arguments")
    lines = {line.split("\t")[0]: line for line in listed.splitlines()[1:]}
    assert "quorum\ttrue" in lines["inventory"]
    for words in ("x-delivery-limit", "inventory.dead", "at-least-once", "reject-publish"):
        assert words in lines["inventory"]
    assert "quorum\ttrue" in lines["inventory.dead"]


def test_an_event_that_no_queue_wants_comes_back_and_is_kept_and_the_others_go_out(house):
    tell("a1")
    house.relay.publish_batch()
    house.unbind("inventory")
    house.unbind("payments")
    tell("a2")

    house.relay.publish_batch()

    assert unsent() == [("a2", 1, "No queue is bound to 'test.happened' of exchange 'orders'.")]
    with Connection(house.url) as connection:
        broker.declare(connection, ("inventory", "payments"))
    make_due()
    house.relay.publish_batch()
    assert unsent() == []
    assert house.take() == ["a1", "a2"]


def test_an_event_that_lost_one_of_its_two_queues_is_sent_again_by_the_reconciler(house):
    tell("a1")
    house.relay.publish_batch()
    house.take("inventory")
    receive("inventory", "payments")
    InboxMessage.objects.using("inventory").all().delete()
    house.unbind("inventory")
    long_ago()

    assert house.reconciler.compare() is False
    assert [name for name, *_ in unsent()] == ["a1"]
    house.relay.publish_batch()

    assert house.take("inventory") == ["a1"], "the binding was not made again"


def test_while_the_broker_has_no_room_nothing_hangs_and_nothing_is_lost(house, monkeypatch):
    monkeypatch.setattr(broker, "CONFIRM_TIMEOUT", 1.0)
    tell("a1")
    house.relay.publish_batch()
    house.rabbit.control("set_disk_free_limit", "100000GB")
    try:
        tell("a2", "b1")
        began = time.monotonic()
        house.relay.publish_batch()
        assert time.monotonic() - began < 10
        assert {name for name, *_ in unsent()} == {"a2", "b1"}
        assert {attempts for _, attempts, _ in unsent()} == {0}
        assert ailing() == ["BrokerDiskFull"]
    finally:
        house.rabbit.control("set_disk_free_limit", "50MB")

    until_sent(house)
    assert set(house.take()) == {"a1", "a2", "b1"}
    assert ailing() == []


def ailing() -> list[str]:
    """What this process says of itself to orders."""
    Pulse.objects.using("orders").all().delete()
    Heart("relay").beat(using="orders")
    return [each.name for each in ailments(using="orders")]


def test_a_broker_that_lost_everything_is_told_everything_again(house):
    tell("a1", "a2", "b1")
    house.relay.publish_batch()
    receive("inventory", "payments", only="b")
    house.rabbit.control("delete_vhost", house.vhost)
    house.rabbit.control("add_vhost", house.vhost)
    house.rabbit.control("set_permissions", "-p", house.vhost, "guest", ".*", ".*", ".*")
    long_ago()

    house.reconciler.compare()
    assert [name for name, *_ in unsent()] == ["a1", "a2"]
    until_sent(house)

    assert house.take() == house.take("payments") == ["a1", "a2"]
    assert OutboxMessage.objects.using("orders").filter(settled_at=None).count() == 2


@pytest.mark.parametrize(("times", "soon", "later"), [(0, 3.0, 1.5), (1, 7.0, 1.5), (9, 7.0, 1.5)])
def test_what_was_lost_again_and_again_is_sent_again_within_ten_seconds_each_time(house, times, soon, later):
    tell("a1")
    house.relay.publish_batch()
    OutboxMessage.objects.using("orders").update(resent=times)
    house.take(), house.take("payments")

    long_ago(soon)
    house.reconciler.compare()
    assert unsent() == []
    long_ago(later)
    house.reconciler.compare()

    assert [name for name, *_ in unsent()] == ["a1"]


def test_what_still_waits_in_its_queue_is_not_sent_again(house):
    tell("a1", "a2")
    house.relay.publish_batch()
    long_ago()

    house.reconciler.compare()

    assert unsent() == []
    assert house.take() == ["a1", "a2"]


def test_a_long_queue_is_looked_through_to_its_end_with_a_rest_after_each_batch_that_told_nothing(house, monkeypatch):
    rests: list[float] = []
    monkeypatch.setattr(reconciler, "BATCH", 1)
    monkeypatch.setattr(reconciler, "time", SimpleNamespace(monotonic=time.monotonic, sleep=rests.append))
    tell("a1", "b1", "c1")
    house.relay.publish_batch()
    long_ago()

    assert [house.reconciler.compare() for _ in range(4)] == [True, True, True, False]
    assert len(rests) == 3
    assert all(0 < rest <= reconciler.LONGEST_LEISURE for rest in rests)

    receive("inventory", "payments")
    assert [house.reconciler.compare() for _ in range(4)] == [True, True, True, False]
    assert len(rests) == 3
    assert OutboxMessage.objects.using("orders").filter(settled_at=None).count() == 0


def test_a_message_names_its_event_in_the_headers_and_does_not_repeat_it_there(house):
    tell("a1")
    house.relay.publish_batch()

    with Connection(house.url) as connection, connection.channel() as channel:
        message = broker.queue_of("inventory", amqp=True)(channel).get(accept=["json"])

    (row,) = OutboxMessage.objects.using("orders")
    assert message.headers["task"] == "mitosis.deliver"
    # RabbitMQ adds its own, as x-delivery-count.
    ours = {name for name in message.headers if not name.startswith("x-")}
    assert ours == {"lang", "task", "id", "root_id", "kwargsrepr", "origin", "ignore_result"}
    assert message.headers["kwargsrepr"] == f"Happened {row.event_id}"
    assert message.payload[1]["event"]["data"] == {"thing": "a", "number": 1, "wish": ""}


def test_what_rabbitmq_gave_up_on_is_taken_into_the_inbox_and_runs_from_there(house):
    tell("a1")
    house.relay.publish_batch()
    assert house.take(ack=False) == ["a1"]

    fetched_until(house, lambda: InboxMessage.objects.using("inventory").exists())

    row = InboxMessage.objects.using("inventory").get()
    assert (row.event_type, row.subject, row.attempts, row.parked_at) == ("Happened", "a", 0, None)
    assert row.due_at is not None


def test_what_rabbitmq_gave_up_on_and_nobody_can_read_is_parked(house):
    tell("a1")
    house.relay.publish_batch()
    with Connection(house.url) as connection, connection.channel() as channel:
        connection.Producer(channel).publish(
            b"not JSON", exchange="orders", routing_key="test.happened", content_type="application/json", headers={}
        )
        queue = broker.queue_of("inventory", amqp=True)(channel)
        while (message := queue.get(accept=["json"])) is not None:
            message.reject()

    fetched_until(house, lambda: deadletters.parked(consumer="inventory").exists())

    (row,) = deadletters.parked(consumer="inventory")
    assert (row.event_type, row.envelope) == ("(unreadable)", {"raw": "not JSON"})
    assert row.error.startswith("RabbitMQ gave it up: ")


def receive(*consumers: str, only: str = "") -> None:
    """As if a worker had taken in what was sent."""
    from runtime.messaging import inbox
    from runtime.messaging.envelope import Envelope

    for row in OutboxMessage.objects.using("orders").filter(subject__startswith=only).order_by("sequence"):
        envelope = Envelope(
            event_id=row.event_id,
            event_type=row.event_type,
            version=row.version,
            timestamp=row.created_at,
            source=row.exchange,
            subject=row.subject,
            sequence=row.sequence,
            data=row.data,
        )
        for consumer in consumers:
            inbox.receive(envelope, consumer=consumer)


def until_sent(house: House) -> None:
    until = time.monotonic() + 20
    while unsent() and time.monotonic() < until:
        house.relay.publish_batch()
    assert unsent() == []


def fetched_until(house: House, condition: Any) -> None:
    """A dead letter takes a moment from one quorum queue to the other."""
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        letterbox.fetch_dead(house.app, consumer="inventory")
