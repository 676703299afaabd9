"""What went between two domains within some minutes: how often it went well, and failed, and how long it took."""

from __future__ import annotations

from collections import Counter as Sum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runtime.console.drawing import Kind
from runtime.telemetry.metrics import BUCKETS
from runtime.telemetry.rates import Name

__all__ = ["NOT_ASKED", "Between", "Counts", "Traffic", "asked_from_everywhere", "traffic_of"]

type Counts = Mapping[Name, Mapping[int, int]]
"""What processes have added (runtime.telemetry.rates), by bucket."""

NOT_ASKED = "breaker_open"
"""How a call ends that was not sent, as the neighbour is left alone."""
_GOOD = frozenset({"ok", "rejected", "superseded", "handled"})
"""A no of the business is an answer."""
_WAITS = "waiting"


class Between(Protocol):
    """By ``names``, the methods that one domain asks of another, or the events that it tells the other."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...


@dataclass(slots=True)
class Traffic:
    """
    Of calls, or of tries of events. A call that was sent several times is one call: it counts by how it ended. An event
    that was tried again counts by each try.
    """

    good: int = 0
    failed: int = 0
    kept_back: int = 0
    """Of those that failed: not sent, as the neighbour is left alone."""
    took: Sum[int] = field(default_factory=Sum)
    """By bucket, of the good ones."""

    def add(self, result: str, buckets: Mapping[int, int]) -> None:
        number = sum(buckets.values())
        if result in _GOOD:
            self.good += number
            self.took.update(buckets)
        elif result != _WAITS:
            self.failed += number
            self.kept_back += number if result == NOT_ASKED else 0

    @property
    def all(self) -> int:
        return self.good + self.failed

    @property
    def half_within(self) -> str:
        """The bound of the bucket that the middle one of the good ones fell into."""
        middle, below = self.good / 2, 0
        for at, bound in enumerate(BUCKETS):
            below += self.took[at]
            if self.good and below >= middle:
                return f"{bound * 1000:g} ms" if bound < 1 else f"{bound:g} s"
        return f"over {BUCKETS[-1]:g} s" if self.good else ""


def traffic_of(counts: Counts, kind: Kind, tie: Between) -> Traffic:
    """
    What goes from one to the other. A call is counted where it was made, and belongs to those domains there whose code
    makes it; an event where it was heard.
    """
    found = Traffic()
    for name, buckets in counts.items():
        match name:
            case (where, "call", callee, method, _, result) if kind == "call":
                if callee == tie.target and method in tie.names and tie.source in where.split("+"):
                    found.add(result, buckets)
            case (_, "event", consumer, event_type, result) if kind == "event":
                if consumer == tie.target and event_type in tie.names:
                    found.add(result, buckets)
    return found


def asked_from_everywhere(counts: Counts, calls: Iterable[Between]) -> dict[tuple[str, str], Traffic]:
    """By callee and method, what runtime asks wherever it runs; no domain's code does."""
    known = {(tie.target, method) for tie in calls for method in tie.names}
    found: dict[tuple[str, str], Traffic] = {}
    for name, buckets in counts.items():
        match name:
            case (_, "call", callee, method, _, result) if (callee, method) not in known:
                found.setdefault((callee, method), Traffic()).add(result, buckets)
    return found
