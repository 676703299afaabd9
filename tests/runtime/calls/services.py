"""A contract, one service that keeps it, and one for each way to break it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol
from uuid import UUID

from contracts._base import Money, Ref, Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    id: UUID
    price: Money
    packed_at: datetime
    tags: tuple[str, ...] = ()


class BoxMissing(Rejected):
    """No such box."""

    code: ClassVar[str] = "box_missing"


class Boxes(Protocol):
    def pack(self, *, box: Box, labels: Sequence[str]) -> Box:
        """The same box again."""
        ...

    def count(self, *, shelf: str) -> int: ...

    def _private(self, *, shelf: str) -> int: ...


BOXES = Ref[Boxes]("boxes")


class Keeps:
    """Notes what it was given; answers with what ``answer`` makes of it."""

    def __init__(self, answer: Any = None) -> None:
        self.given: list[dict[str, Any]] = []
        self.answer = answer

    def pack(self, *, box: Box, labels: Sequence[str]) -> Box:
        self.given.append({"box": box, "labels": labels})
        self.returned = self.answer() if self.answer else box
        return self.returned

    def count(self, *, shelf: str) -> int:
        self.given.append({"shelf": shelf})
        return self.answer() if self.answer else 7

    def _private(self, *, shelf: str) -> int:
        return 0

    def not_in_the_contract(self) -> int:
        return 0


class Lacks:
    def pack(self, *, box: Box, labels: Sequence[str]) -> Box: ...


class InheritsTheBody(Boxes):
    def pack(self, *, box: Box, labels: Sequence[str]) -> Box: ...


class InheritsAnImplementation(Keeps):
    pass


class LacksAParameter(Keeps):
    def pack(self, *, box: Box) -> Box: ...


class WantsMore(Keeps):
    def count(self, *, shelf: str, floor: int) -> int: ...


class MayTakeMore(Keeps):
    def count(self, *, shelf: str, floor: int = 0) -> int: ...


class TakesByPosition(Keeps):
    def count(self, shelf: str) -> int: ...


class TakesAnotherType(Keeps):
    def count(self, *, shelf: int) -> int: ...


class AnswersAnotherType(Keeps):
    def count(self, *, shelf: str) -> str: ...


class NotAFunction(Keeps):
    count = 7  # type: ignore[assignment]


KEEPS, LACKS = Keeps(), Lacks()
