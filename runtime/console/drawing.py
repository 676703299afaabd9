"""
Groups of boxes one below the other, with arrows at their sides, as numbers for an SVG: geometry, for any topology.

Calls go on the right, events on the left. What goes on within a group stays inside its frame; what leaves it goes round
outside. So the picture is narrow enough for a telephone, and no arrow runs through a box.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Arrow", "Box", "Frame", "Node", "Picture", "Tie", "Words", "draw"]

type Kind = Literal["call", "event"]
type _Side = Literal[1, -1]

_BOX = 126
_LABEL: Mapping[int, int] = {1: 74, -1: 66}
"""Room for the words at an arrow's beginning: at the right, at the left."""
_LANE = 13
_ROW = 36
_LEAST_HEIGHT = 52
_HEAD = 8
_PAD, _TITLE, _GAP = 10, 24, 14
_THINNEST, _THICKEST = 1.25, 4.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What is in a box. ``note`` stands below its name, which ties go by; ``bad`` is shown in red."""

    name: str
    note: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """From one node to another, with up to two lines of ``words``. ``rate`` is how often in a minute, for its width."""

    kind: Kind
    source: str
    target: str
    rate: float = 0.0
    words: tuple[str, ...] = ()
    bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    node: Node
    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.left + self.width / 2

    @property
    def line(self) -> float:
        """Where the name is written."""
        return self.top + self.height / 2 - 3

    @property
    def note_line(self) -> float:
        return self.line + 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    title: str
    left: float
    top: float
    width: float
    height: float

    @property
    def title_left(self) -> float:
        return self.left + _PAD

    @property
    def title_line(self) -> float:
        return self.top + 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    text: str
    left: float
    line: float
    anchor: Literal["start", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """``gates`` are where it goes through a frame: two of them, or none."""

    tie: Tie
    path: str
    head: str
    width: float
    gates: tuple[tuple[float, float], ...]
    words: tuple[Words, ...]

    @property
    def crosses(self) -> bool:
        return bool(self.gates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    width: float
    height: float
    frames: tuple[Frame, ...]
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def draw(groups: Sequence[tuple[str, Sequence[Node]]], ties: Sequence[Tie]) -> Picture:
    """``groups``: a title, and what stands together. Ties name nodes that are there."""
    return _Drawing(groups, ties).picture()


class _Drawing:
    def __init__(self, groups: Sequence[tuple[str, Sequence[Node]]], ties: Sequence[Tie]) -> None:
        self._groups = groups
        self._home = {node.name: number for number, (_, nodes) in enumerate(groups) for node in nodes}
        self._rank = {name: rank for rank, name in enumerate(self._home)}
        self._sides: dict[_Side, list[Tie]] = {
            1: [tie for tie in ties if tie.kind == "call"],
            -1: [tie for tie in ties if tie.kind == "event"],
        }
        self._ends = {side: self._docking(of_side) for side, of_side in self._sides.items()}
        self._inner = {side: self._lanes(of_side, self._within) for side, of_side in self._sides.items()}
        self._outer = {side: self._lanes(of_side, self._crosses) for side, of_side in self._sides.items()}
        self._left = self._reach(-1) + 4
        self._boxes, self._frames = self._stack()

    def picture(self) -> Picture:
        arrows = [self._arrow(tie, side) for side, ties in self._sides.items() for tie in ties]
        last = self._frames[-1] if self._frames else None
        return Picture(
            width=self._left + _BOX + self._reach(1) + 4,
            height=last.top + last.height + 2 if last else 0,
            frames=tuple(self._frames),
            boxes=tuple(self._boxes.values()),
            arrows=tuple(arrows),
        )

    # --- Who docks where ----------------------------------------------------------------------------------------------

    def _docking(self, ties: Sequence[Tie]) -> dict[str, list[tuple[Tie, str]]]:
        """By node, the ends of arrows from top to bottom, so that they do not cross where they begin."""
        ends: dict[str, list[tuple[Tie, str]]] = defaultdict(list)
        for tie in ties:
            ends[tie.source].append((tie, tie.target))
            ends[tie.target].append((tie, tie.source))
        for name, docked in ends.items():
            docked.sort(key=lambda end: self._slot(name, end[1]))
        return ends

    def _slot(self, name: str, other: str) -> tuple[int, int]:
        """What leads up is above what leads down; the farther it goes, the farther in the middle or at the top."""
        distance = self._rank[other] - self._rank[name]
        return (0, -distance) if distance < 0 else (1, -distance)

    def _lanes(self, ties: Sequence[Tie], wanted: Callable[[Tie], bool]) -> dict[int, int]:
        """By tie's identity, its lane: the shortest next to the boxes, and none over another."""
        taken: list[list[tuple[int, int]]] = []
        found: dict[int, int] = {}
        for tie in sorted(filter(wanted, ties), key=lambda one: abs(self._rank[one.source] - self._rank[one.target])):
            first, last = sorted((self._rank[tie.source], self._rank[tie.target]))
            free = (lane for lane, spans in enumerate(taken) if all(b < first or last < a for a, b in spans))
            lane = next(free, len(taken))
            taken[lane:] = taken[lane:] or [[]]
            taken[lane].append((first, last))
            found[id(tie)] = lane
        return found

    def _within(self, tie: Tie) -> bool:
        return self._home[tie.source] == self._home[tie.target]

    def _crosses(self, tie: Tie) -> bool:
        return not self._within(tie)

    # --- Where all that stands ----------------------------------------------------------------------------------------

    def _frame_reach(self, side: _Side) -> float:
        """From a box to the frame around it."""
        return _LABEL[side] + _LANE * (max(self._inner[side].values(), default=-1) + 1) + _PAD

    def _reach(self, side: _Side) -> float:
        """From a box to the outermost lane."""
        return self._frame_reach(side) + _LANE * (max(self._outer[side].values(), default=-1) + 1)

    def _stack(self) -> tuple[dict[str, Box], list[Frame]]:
        boxes: dict[str, Box] = {}
        frames: list[Frame] = []
        top = 2.0
        for title, nodes in self._groups:
            below: float = top + _TITLE
            for node in nodes:
                ends = max(len(docked.get(node.name, ())) for docked in self._ends.values())
                tall = max(_LEAST_HEIGHT, _ROW * ends + 6)
                boxes[node.name] = Box(node=node, left=self._left, top=below, width=_BOX, height=tall)
                below += tall + _GAP
            left = self._left - self._frame_reach(-1)
            width = self._frame_reach(-1) + _BOX + self._frame_reach(1)
            height = below - _GAP + _PAD - top
            frames.append(Frame(title=title, left=left, top=top, width=width, height=height))
            top += height + _GAP
        return boxes, frames

    def _port(self, name: str, tie: Tie, side: _Side) -> tuple[float, float]:
        box, docked = self._boxes[name], [id(end) for end, _ in self._ends[side][name]]
        top = box.top + (box.height - _ROW * len(docked)) / 2
        edge = box.left + box.width if side == 1 else box.left
        return edge, top + _ROW * (docked.index(id(tie)) + 0.5)

    def _arrow(self, tie: Tie, side: _Side) -> Arrow:
        (edge, begin), (_, end) = self._port(tie.source, tie, side), self._port(tie.target, tie, side)
        frame = edge + side * self._frame_reach(side)
        if crosses := self._crosses(tie):
            lane = frame + side * (_LANE * (self._outer[side][id(tie)] + 1) - 2)
        else:
            lane = edge + side * (_LABEL[side] + _LANE * (self._inner[side][id(tie)] + 0.5))
        base = edge + side * _HEAD
        return Arrow(
            tie=tie,
            path=f"M {edge:g} {begin:g} H {lane:g} V {end:g} H {base:g}",
            head=f"{edge:g},{end:g} {base:g},{end - 4.5:g} {base:g},{end + 4.5:g}",
            width=round(min(_THICKEST, _THINNEST + math.log10(1 + tie.rate)), 2),
            gates=((frame, begin), (frame, end)) if crosses else (),
            words=tuple(
                Words(text=text, left=edge + side * 6, line=line, anchor="start" if side == 1 else "end")
                for text, line in zip(tie.words, (begin - 5, begin + 13), strict=False)
            ),
        )
