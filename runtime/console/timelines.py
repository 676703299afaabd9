"""
A record's story as a picture: a lane for whoever has a part in it, a row for each moment, a mark in its lane.

It is a table of words: the marks have names, and whoever sees no colours, or no picture, reads the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from runtime.console.traces import addresses_of

__all__ = ["Kind", "Lane", "Moment", "Row", "Timeline", "later", "timeline"]

_SHORTEST_GAP = timedelta(seconds=1)


class Kind(StrEnum):
    """How a moment ended."""

    DONE = "done"
    FAILED = "failed"
    OPEN = "open"
    UNDONE = "undone"

    @property
    def named(self) -> str:
        """What the mark is called where it is explained, and where it is read out."""
        return _NAMES[self]


_NAMES = {
    Kind.DONE: "done",
    Kind.FAILED: "refused or failed",
    Kind.OPEN: "waiting, or not known",
    Kind.UNDONE: "given back or undone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """``trouble``: a sentence where its moments could not be asked for."""

    title: str
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """
    What happened in one lane. ``aside`` is how machines call it, ``mark`` a word that asks to be seen. ``at`` is None
    for what is so now. ``address`` leads to where something can be done about it.
    """

    at: datetime | None
    lane: str
    kind: Kind
    words: str
    aside: str = ""
    mark: str = ""
    trace_id: str | None = None
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    A moment as it is drawn. ``cells`` has one word for each lane: ``mark``, or which part of its line goes through.
    ``day`` is set where it is another than that of the row before, and ``gap`` where time went by.
    """

    moment: Moment
    cells: Sequence[str]
    passed: Sequence[str]
    day: str
    time: str
    gap: str
    trace: str

    @property
    def is_alarming(self) -> bool:
        return self.moment.at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A panel below a record, made by ``timeline``."""

    template: ClassVar[str] = "console/timeline.html"

    title: str
    lanes: Sequence[Lane]
    rows: Sequence[Row]
    kinds: Sequence[Kind] = tuple(Kind)


def timeline(title: str, lanes: Sequence[Lane], moments: Sequence[Moment]) -> Timeline:
    """The moments in order of time, and then what is so now. Each stands in a lane that is one of these."""
    ordered = sorted(moments, key=lambda one: (one.at is None, one.at.timestamp() if one.at else 0.0))
    traces = addresses_of([one.trace_id for one in ordered if one.trace_id])
    return Timeline(title=title, lanes=lanes, rows=list(_rows(lanes, ordered, traces)))


def _rows(lanes: Sequence[Lane], moments: Sequence[Moment], traces: Mapping[str, str]) -> Iterator[Row]:
    spans = [_span(lane, moments) for lane in lanes]
    before: datetime | None = None
    for number, moment in enumerate(moments):
        at = moment.at and moment.at.astimezone(UTC)
        yield Row(
            moment=moment,
            cells=[_cell(span, number) for span in spans],
            passed=["through" if first < number <= last else "" for first, last, _ in spans],
            day=f"{at:%Y-%m-%d}" if at and (before is None or before.date() != at.date()) else "",
            time=f"{at:%H:%M:%S}" if at else "now",
            gap=later(at - before) if at and before and at - before > _SHORTEST_GAP else "",
            trace=traces.get(moment.trace_id or "", ""),
        )
        before = at or before


def _span(lane: Lane, moments: Sequence[Moment]) -> tuple[int, int, frozenset[int]]:
    """From which row to which its line goes, and the rows that have a mark on it."""
    marks = frozenset(number for number, moment in enumerate(moments) if moment.lane == lane.title)
    return min(marks, default=0), max(marks, default=-1), marks


def _cell(span: tuple[int, int, frozenset[int]], number: int) -> str:
    first, last, marks = span
    if number in marks:
        ends = [name for name, end in (("first", first), ("last", last)) if number == end]
        return " ".join(["mark", *ends])
    return "through" if first < number < last else ""


def later(gap: timedelta) -> str:
    """A gap in its two largest units: ``3 h 12 min later``."""
    left, parts = int(gap.total_seconds()), []
    for unit, seconds in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        parts.append(f"{count} {unit}" if count else "")
    first = next((number for number, part in enumerate(parts) if part), len(parts))
    return f"{' '.join(filter(None, parts[first : first + 2]))} later"
