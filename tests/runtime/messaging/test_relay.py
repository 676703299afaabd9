"""The relay sends what the outbox holds, in each aggregate's order, to whoever wants it; one relay at a time does."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from functools import partial

import pytest
from django.db import connections, transaction

from config.celery import app
from runtime.databases.clock import Now
from runtime.messaging import broker, publish
from runtime.messaging.envelope import write
from runtime.messaging.models import OutboxMessage
from runtime.messaging.relay import Relay
from tests.runtime.messaging import wire
from tests.runtime.messaging.small_world import Happened, Ignored
from tests.together import together, wait_until


def tell(*names: str) -> None:
    """An event for each name, as in ``a1``: subject and number, a transaction each."""
    for name in names:
        with transaction.atomic(using="orders"):
            publish(Happened(thing=name[0], number=int(name[1:])), using="orders")


def arrived(consumer: str) -> list[str]:
    return [f"{event['data']['thing']}{event['data']['number']}" for event in wire.events(consumer)]


def of_each_subject(names: list[str]) -> dict[str, list[str]]:
    return {subject: [name for name in names if name[0] == subject] for subject in sorted({n[0] for n in names})}


def waiting() -> list[str]:
    """What is still to be sent, by subject and sequence."""
    rows = OutboxMessage.objects.using("orders").filter(published_at=None, wanted=True).order_by("subject", "sequence")
    return [f"{row.subject}{row.data['number']}" for row in rows]


def row_of(name: str) -> OutboxMessage:
    return OutboxMessage.objects.using("orders").get(subject=name[0], data__number=int(name[1:]))


def relay() -> Relay:
    return Relay(app=app, domain="orders")


def test_every_subscriber_gets_each_event_once_in_its_subjects_order(world):
    tell("a1", "b1", "a2", "b2", "a3")

    mine = relay()
    assert mine.publish_batch() is False
    assert mine.publish_batch() is False

    expected = {"a": ["a1", "a2", "a3"], "b": ["b1", "b2"]}
    assert of_each_subject(arrived("inventory")) == expected
    assert of_each_subject(arrived("payments")) == expected
    assert wire.events("orders") == wire.events("users") == []
    rows = OutboxMessage.objects.using("orders").all()
    assert {(row.attempts, row.error, row.published_at is None) for row in rows} == {(1, None, False)}


def test_an_event_travels_as_a_celery_message_with_its_envelope(world):
    tell("a1")
    row = row_of("a1")
    relay().publish_batch()

    (message,) = wire.take_all("inventory")
    arguments, keywords, _ = message.payload
    assert (message.headers["task"], message.headers["id"]) == ("mitosis.deliver", str(row.event_id))
    assert (message.content_type, message.delivery_info["routing_key"]) == ("application/json", "test.happened")
    assert arguments == []
    assert keywords == {
        "event": {
            "eventId": str(row.event_id),
            "eventType": "Happened",
            "version": 1,
            "timestamp": row.created_at.isoformat().replace("+00:00", "Z"),
            "source": "orders",
            "subject": "a",
            "sequence": 1,
            "data": {"thing": "a", "number": 1, "wish": ""},
        }
    }


def test_what_nobody_wants_stays_unsent(world):
    with transaction.atomic(using="orders"):
        publish(Ignored(thing="a"), using="orders")

    assert relay().publish_batch() is False

    row = OutboxMessage.objects.using("orders").get()
    assert (row.published_at, row.attempts) == (None, 0)
    assert wire.events("inventory") == []


def test_a_row_that_is_not_due_holds_back_the_later_ones_of_its_subject_and_nobody_elses(world):
    tell("a1", "a2", "b1")
    OutboxMessage.objects.using("orders").filter(pk=row_of("a1").pk).update(due_at=Now() + timedelta(seconds=60))

    relay().publish_batch()
    assert arrived("inventory") == ["b1"]
    assert waiting() == ["a1", "a2"]

    OutboxMessage.objects.using("orders").filter(pk=row_of("a1").pk).update(due_at=Now())
    relay().publish_batch()
    assert arrived("inventory") == ["a1", "a2"]


def test_a_row_that_cannot_be_sent_stops_its_own_subject_and_nobody_elses(world, monkeypatch):
    tell("a1", "a2", "a3", "b1", "c1")
    poison = row_of("a2").event_id

    def write_all_but_poison(envelope):
        if envelope.event_id == poison:
            raise ValueError("this cannot be written")
        return write(envelope)

    with monkeypatch.context() as patched:
        patched.setattr(broker, "write", write_all_but_poison)
        mine = relay()
        mine.publish_batch()
        mine.publish_batch()

    assert sorted(arrived("inventory")) == ["a1", "b1", "c1"]
    assert waiting() == ["a2", "a3"]
    stopped = row_of("a2")
    assert (stopped.attempts, stopped.error) == (1, "ValueError: this cannot be written")
    assert timedelta(0) < stopped.due_at - stopped.created_at <= timedelta(seconds=15)
    assert row_of("a3").attempts == 0

    OutboxMessage.objects.using("orders").filter(pk=poison).update(due_at=Now())
    relay().publish_batch()
    assert arrived("inventory") == ["a2", "a3"]
    assert (row_of("a2").attempts, row_of("a2").error) == (2, None)


def test_a_full_batch_says_that_there_is_more(world, monkeypatch):
    monkeypatch.setattr("runtime.messaging.relay.BATCH", 2)
    tell("a1", "a2", "a3")

    mine = relay()

    assert [mine.publish_batch(), mine.publish_batch(), mine.publish_batch()] == [True, False, False]
    assert arrived("inventory") == ["a1", "a2", "a3"]


def test_what_was_sent_and_not_marked_is_sent_again_under_the_same_id(world):
    tell("a1")
    relay().publish_batch()
    (first,) = wire.events("inventory")
    # As if the relay had died before it marked it, and its lease had ended.
    OutboxMessage.objects.using("orders").update(published_at=None, due_at=Now())

    relay().publish_batch()

    assert wire.events("inventory") == [first]


class InAThread:
    """A relay with a thread, and so with a database connection, of its own."""

    def __init__(self) -> None:
        self._orders: list[str] = []
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self.pid = 0
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def publish(self) -> None:
        self._go.release()
        assert self._done.acquire(timeout=20)

    def end(self) -> None:
        self._orders.append("end")
        self._go.release()
        self._thread.join(20)

    def _live(self) -> None:
        mine = relay()
        while self._go.acquire() and not self._orders:
            try:
                mine.publish_batch()
                with connections["orders"].cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    (self.pid,) = cursor.fetchone()
            except Exception:  # its connection was killed
                connections.close_all()
            self._done.release()
        connections.close_all()


@pytest.fixture
def two_relays():
    one, other = InAThread(), InAThread()
    yield one, other
    one.end()
    other.end()


def test_while_one_relay_has_claimed_an_event_no_other_sends_it_or_a_later_one_of_its_subject(world):
    tell("a1")
    mine, other = relay(), relay()
    (claimed,) = mine._claim()
    tell("a2", "b1")

    other.publish_batch()
    assert arrived("inventory") == ["b1"]
    assert waiting() == ["a1", "a2"]

    OutboxMessage.objects.using("orders").filter(pk=claimed.event_id).update(due_at=Now())  # its lease is over
    other.publish_batch()
    assert arrived("inventory") == ["a1", "a2"]


def test_a_relay_that_wakes_up_after_its_lease_sends_nothing_more(world, monkeypatch):
    tell("a1")
    sleepy = relay()
    claim = sleepy._claim

    def claim_and_sleep():
        rows = claim()
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 20)
        return rows

    monkeypatch.setattr(sleepy, "_claim", claim_and_sleep)
    sleepy.publish_batch()
    assert arrived("inventory") == []
    assert row_of("a1").due_at > row_of("a1").created_at + timedelta(seconds=5), "somebody else's claim was let go"


def test_an_event_says_which_one_of_its_subject_each_subscriber_got_before_it(world):
    with transaction.atomic(using="orders"):
        publish(Happened(thing="a", number=1), using="orders")
        publish(Ignored(thing="a"), using="orders")
        publish(Happened(thing="a", number=2), using="orders")

    relay().publish_batch()

    told = [(event["sequence"], event.get("after")) for event in wire.events("inventory")]
    assert told == [(1, None), (3, {"inventory": 1, "payments": 1})]


def test_a_relay_is_nudged_when_an_event_is_committed(world):
    mine = relay()
    mine.wait(0)
    nudged = threading.Event()

    def wait() -> None:
        mine = relay()
        mine.wait(0)
        ready.set()
        mine.wait(30)
        nudged.set()
        connections.close_all()

    ready = threading.Event()
    thread = threading.Thread(target=wait)
    thread.start()
    assert ready.wait(10)
    assert not nudged.wait(0.2)
    tell("a1")
    assert nudged.wait(5)
    thread.join(10)


def test_relays_of_different_domains_do_not_stop_one_another(world, two_relays):
    first, _ = two_relays
    first.publish()
    with transaction.atomic(using="payments"):
        publish(Happened(thing="p", number=1), using="payments")

    together(Relay(app=app, domain="payments").publish_batch)

    assert arrived("inventory") == ["p1"]


def test_two_relays_at_once_leave_each_event_in_the_queue_once_and_in_order(world):
    names = [f"a{number}" for number in range(1, 60)]
    tell(*names)

    def work() -> None:
        mine = relay()
        wait_until(lambda: mine.publish_batch() or not waiting())

    together(*[partial(work)] * 3)

    assert arrived("inventory") == names
