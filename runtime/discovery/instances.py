"""What is found, and what finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Instance:
    """
    One process that hosts ``domain``. ``url`` is its inside port's, without a path; ``host`` the name it is called by
    where that is another one, as a Host header says it.
    """

    domain: str
    url: str
    host: str | None = None


class NotFound(Exception):
    """Nobody could say where a domain answers. What was known before still stands."""


class Source(Protocol):
    """Somebody who knows where one domain answers."""

    pause: float
    """Seconds from one look to the next."""

    def look(self) -> tuple[Instance, ...]:
        """
        Everybody who answers for the domain now; empty where it is known that nobody does. Any look but the first may
        wait until there is news. Raises NotFound.
        """
        ...
