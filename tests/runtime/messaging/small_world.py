"""
A world with two events and handlers that do what the event says, in place of the shop's own.

Also an app of Django, for processes of their own: with ``worker_settings`` they live in this world.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from django.apps import AppConfig

from contracts._base import Event
from runtime.messaging.subscriptions import Handlers
from tests import effects


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened(Event):
    """``wish`` is what the handler does: nothing, ``raise``, ``raise once``, ``die once``, ``die until mended``."""

    name: ClassVar[str] = "Happened"
    exchange: ClassVar[str] = "orders"
    routing_key: ClassVar[str] = "test.happened"
    thing: str
    number: int
    wish: str = ""

    @property
    def subject(self) -> str:
        return self.thing


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored(Event):
    name: ClassVar[str] = "Ignored"
    exchange: ClassVar[str] = "orders"
    routing_key: ClassVar[str] = "test.ignored"
    thing: str

    @property
    def subject(self) -> str:
        return self.thing


SUBSCRIPTIONS: dict[str, tuple[type[Event], ...]] = {
    "users": (),
    "inventory": (Happened,),
    "payments": (Happened,),
    "orders": (),
}
EVENTS = (Happened, Ignored)


def name_of(event: Happened) -> str:
    return f"{event.thing}:{event.number}"


def handler_in(alias: str) -> Callable[[Happened], None]:
    def handle(event: Happened) -> None:
        effects.leave(alias, name_of(event))
        if event.wish == "raise" or (event.wish == "raise once" and first_time(event)):
            raise ZeroDivisionError(event.wish)
        if event.wish == "die until mended" and alias == "inventory" and not mended().exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if event.wish == "die once" and alias == "inventory" and first_time(event):
            os.kill(os.getpid(), signal.SIGKILL)

    return handle


def first_time(event: Happened) -> bool:
    """Whether this is the first run, counted in a file, which a rollback does not take back."""
    mark = Path(os.environ["SMALL_WORLD_MARKS"]) / name_of(event)
    if mark.exists():
        return False
    mark.touch()
    return True


def mended() -> Path:
    """Where this file is, the fault that kills is mended."""
    return Path(os.environ["SMALL_WORLD_MARKS"]) / "mended"


INVENTORY_HANDLERS = Handlers({Happened: handler_in("inventory")})
PAYMENTS_HANDLERS = Handlers({Happened: handler_in("payments")})
NO_HANDLERS = Handlers({})

HANDLERS = {
    "users": NO_HANDLERS,
    "inventory": INVENTORY_HANDLERS,
    "payments": PAYMENTS_HANDLERS,
    "orders": NO_HANDLERS,
}


class SmallWorld(AppConfig):
    name = "tests.runtime.messaging"
    label = "small_world"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        from importlib import import_module

        for domain, handlers in HANDLERS.items():
            module: Any = import_module(f"apps.{domain}.handlers")
            module.HANDLERS = handlers
