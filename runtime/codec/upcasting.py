"""
Old facts in new words: an event that was written in an earlier version is brought up to the one that code knows.

``UPCASTERS = {("OrderCreated", 1): currency_was_implied}`` says how the data of version 1 becomes that of version 2.
Each step is one function of plain data to plain data, found by the event's wire name and version, never by a class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Upcasters = Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]]


class NoWayUp(ValueError):
    """An event is of a version that this code neither knows nor can bring up to one that it knows."""


def upcast(data: dict[str, Any], *, name: str, version: int, wanted: int, upcasters: Upcasters) -> dict[str, Any]:
    """The event's data in the wanted version. Raises NoWayUp."""
    while version < wanted:
        step = upcasters.get((name, version))
        if step is None:
            raise NoWayUp(f"{name} of version {version} cannot be brought up to version {wanted}")
        data, version = step(data), version + 1
    if version > wanted:
        raise NoWayUp(f"{name} of version {version} is newer than version {wanted}, which is known here")
    return data
