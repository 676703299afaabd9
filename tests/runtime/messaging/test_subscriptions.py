"""One table says who hears what: queues are bound by it, and handlers are compared with it at start."""

from __future__ import annotations

import pytest

from config.subscriptions import EVENTS, SUBSCRIPTIONS
from runtime.messaging import Handlers, broker, checks
from runtime.messaging.subscriptions import Subscriptions, handlers_of, subscriptions
from tests.runtime.messaging.small_world import Happened, Ignored


@pytest.fixture
def table(settings, monkeypatch):
    """Sets the table and inventory's handlers for a moment."""

    def set_up(wanted: tuple, handled: tuple) -> None:
        subscriptions.cache_clear()
        handlers_of.cache_clear()
        monkeypatch.setattr("config.subscriptions.SUBSCRIPTIONS", {"inventory": wanted})
        handlers = Handlers(dict.fromkeys(handled, print))
        monkeypatch.setattr("apps.inventory.handlers.HANDLERS", handlers)
        settings.HOSTED_DOMAINS = ("inventory",)

    yield set_up
    subscriptions.cache_clear()
    handlers_of.cache_clear()


def found() -> list[tuple[str, str]]:
    return [(error.id, error.msg) for error in checks.handlers_match_subscriptions(None)]


def test_the_projects_own_handlers_are_those_of_the_table():
    assert found() == []


def test_a_subscription_without_a_handler_is_named(table):
    table(wanted=(Happened, Ignored), handled=(Happened,))

    assert found() == [("messaging.E001", "inventory subscribes to Ignored and has no handler for it")]


def test_a_handler_without_a_subscription_is_named(table):
    table(wanted=(), handled=(Happened,))

    assert found() == [
        ("messaging.E002", "inventory handles Happened and does not subscribe to it, so it would never arrive")
    ]


def test_a_domain_that_is_not_hosted_here_is_not_looked_at(table, settings):
    table(wanted=(Happened,), handled=())
    settings.HOSTED_DOMAINS = ()

    assert found() == []


def test_consumers_and_bindings_follow_from_the_table():
    small = Subscriptions({"inventory": (Happened,), "payments": (Happened, Ignored), "users": ()})

    assert small.consumers_of("Happened") == ("inventory", "payments")
    assert small.consumers_of("Nothing") == ()
    assert small.bindings_of("payments") == (("orders", "test.happened"), ("orders", "test.ignored"))
    assert small.bindings_of("users") == small.bindings_of("nobody") == ()


def test_a_queue_is_durable_and_bound_to_its_own_exchange_and_to_each_event_it_wants(table):
    table(wanted=(Happened,), handled=(Happened,))

    queue = broker.queue_of("inventory")

    assert (queue.name, queue.durable) == ("inventory", True)
    bound = {(b.exchange.name, b.exchange.type, b.exchange.durable, b.routing_key) for b in queue.bindings}
    assert bound == {
        ("inventory.tasks", "direct", True, "inventory"),
        ("orders", "topic", True, "test.happened"),
    }


def test_every_event_subscribed_to_is_in_the_catalogue_and_every_wire_name_is_there_once():
    names = [event.name for event in EVENTS]

    assert len(names) == len(set(names))
    assert {event.name for events in SUBSCRIPTIONS.values() for event in events} <= set(names)
