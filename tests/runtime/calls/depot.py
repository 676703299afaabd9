"""A contract with one service that keeps it, for calls over every transport: what it does, it is told by name."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol
from uuid import UUID

from django.db import OperationalError, transaction

from contracts._base import DeadlineExceeded, Ref, Rejected, Superseded, Unavailable
from runtime.calls import current_call
from runtime.calls.fence import pass_fence
from runtime.identity.speaking import current_user
from runtime.telemetry.tracing import current_request_id, current_trace_id
from tests.runtime.calls.services import Box, BoxMissing


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What travelled beside the arguments. Seconds."""

    remaining: float | None
    lease_id: UUID | None
    lease_epoch: int | None
    user: str | None
    roles: tuple[str, ...]
    trace_id: str | None
    request_id: str | None


class ShelfFull(Rejected):
    """The shelf is full."""

    code: ClassVar[str] = "shelf_full"

    def __init__(self, shelf: str) -> None:
        super().__init__(f"shelf {shelf} is full", shelf=shelf)


class NotInTheContract(ShelfFull):
    """An error that only a newer callee has."""

    code: ClassVar[str] = "shelf_bent"


class Depot(Protocol):
    def pack(self, *, box: Box, labels: Sequence[str]) -> Box: ...

    def count(self, *, shelf: str, floor: int = 0) -> int: ...

    def told(self) -> Told: ...

    def act(self, *, deed: str) -> int: ...

    def label(self, *, length: int) -> str: ...

    def times(self, *, deed: str) -> int: ...

    def move(self) -> None: ...

    def put(self, *, key: str) -> int: ...

    def _private(self) -> int: ...


DEPOT = Ref[Depot]("depot")

DEPOT_CALLERS = dict.fromkeys(
    ("pack", "count", "told", "act", "label", "times", "move", "put"), frozenset({"orders", "payments"})
)


def _wait(seconds: float) -> int:
    time.sleep(seconds)
    return 1


def _raise(error: Exception) -> Any:
    raise error


DEEDS: dict[str, Callable[[], Any]] = {
    "nothing": lambda: 1,
    "wait": lambda: _wait(60.0),
    "missing": lambda: _raise(BoxMissing(boxes=["b1"], shelf=UUID(int=7), tags=("a", "b"))),
    "full": lambda: _raise(ShelfFull("a")),
    "bent": lambda: _raise(NotInTheContract("b")),
    "rejected": lambda: _raise(Rejected("no", why=1)),
    "unavailable": lambda: _raise(Unavailable("later")),
    "late": lambda: _raise(DeadlineExceeded()),
    "superseded": lambda: _raise(Superseded(lease="l", epoch=1)),
    "object": lambda: _raise(BoxMissing(box=object())),
    "outage": lambda: _raise(OperationalError("the connection is closed")),
    "bug": lambda: _raise(ZeroDivisionError("a secret")),
    "another type": lambda: "a word",
}


class Kept:
    def __init__(self) -> None:
        self._times: Counter[str] = Counter()

    def pack(self, *, box: Box, labels: Sequence[str]) -> Box:
        self._times["pack"] += 1
        self.given = box, labels
        return box

    def count(self, *, shelf: str, floor: int = 0) -> int:
        self._times["count"] += 1
        return len(shelf) + floor

    def told(self) -> Told:
        call, user = current_call(), current_user()
        return Told(
            remaining=call.remaining(),
            lease_id=call.lease.id if call.lease else None,
            lease_epoch=call.lease.epoch if call.lease else None,
            user=user.id if user else None,
            roles=user.roles if user else (),
            trace_id=current_trace_id(),
            request_id=current_request_id(),
        )

    def act(self, *, deed: str) -> int:
        self._times[deed] += 1
        answer: int = DEEDS[deed]()
        return answer

    def label(self, *, length: int) -> str:
        return "x" * length

    def times(self, *, deed: str) -> int:
        return self._times[deed]

    def move(self) -> None:
        with transaction.atomic(using="inventory"):
            pass_fence(using="inventory")

    def put(self, *, key: str) -> int:
        self._times[f"put {key}"] += 1
        return 1

    def _private(self) -> int:
        return 0

    def not_in_the_contract(self) -> int:
        return 0


KEPT = Kept()
