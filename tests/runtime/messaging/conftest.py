from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

from runtime.messaging.subscriptions import handlers_of, subscriptions
from tests import effects
from tests.runtime.messaging import small_world, wire


@pytest.fixture
def world(committed, settings, monkeypatch, tmp_path) -> Iterator[None]:
    """The small world in this process, with real commits and an empty broker."""
    settings.SUBSCRIPTIONS = "tests.runtime.messaging.small_world.SUBSCRIPTIONS"
    monkeypatch.setenv("SMALL_WORLD_MARKS", str(tmp_path))
    for domain, handlers in small_world.HANDLERS.items():
        monkeypatch.setattr(import_module(f"apps.{domain}.handlers"), "HANDLERS", handlers)
    subscriptions.cache_clear()
    handlers_of.cache_clear()
    wire.empty_broker()
    with effects.tables("inventory", "payments"):
        yield
    wire.empty_broker()
    subscriptions.cache_clear()
    handlers_of.cache_clear()
