"""Two events of a stream that only the tests have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from contracts._base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Event):
    name: ClassVar[str] = "Opened"
    exchange: ClassVar[str] = "orders"
    routing_key: ClassVar[str] = "thing.opened"
    by: str

    @property
    def subject(self) -> str:
        return "thing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Event):
    name: ClassVar[str] = "Counted"
    version: ClassVar[int] = 2
    exchange: ClassVar[str] = "orders"
    routing_key: ClassVar[str] = "thing.counted"
    number: int

    @property
    def subject(self) -> str:
        return "thing"


TYPES = {event.name: event for event in (Opened, Counted)}
