from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

from runtime.messaging import relay, subscriptions
from tests import effects
from tests.runtime.messaging import small_world, wire


@pytest.fixture
def world(committed, settings, monkeypatch, tmp_path) -> Iterator[None]:
    """The small world in this process, with real commits and an empty broker."""
    settings.SUBSCRIPTIONS = "tests.runtime.messaging.small_world.SUBSCRIPTIONS"
    settings.EVENTS = "tests.runtime.messaging.small_world.EVENTS"
    monkeypatch.setenv("SMALL_WORLD_MARKS", str(tmp_path))
    for domain, handlers in small_world.HANDLERS.items():
        monkeypatch.setattr(import_module(f"apps.{domain}.handlers"), "HANDLERS", handlers)
    forget_the_table()
    wire.empty_broker()
    with effects.tables("inventory", "payments"):
        yield
    wire.empty_broker()
    forget_the_table()


def forget_the_table() -> None:
    """What is read once in a process's life is read anew."""
    for read_once in (
        subscriptions.subscriptions,
        subscriptions.handlers_of,
        subscriptions._known,
        relay._types_by_consumer,
    ):
        read_once.cache_clear()
