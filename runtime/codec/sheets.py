"""
Tables as CSV files (RFC 4180, UTF-8), for people with spreadsheets: read strictly, and written so that no cell is taken
for a formula.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Fault", "Row", "harmless", "line_of", "meant", "read"]

# What begins a formula, also in the full width of East Asian fonts. Apostrophes before it are kept apart from ours.
_FORMULA = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_DANGEROUS = re.compile(f"'*[{_FORMULA}]")
_MADE_HARMLESS = re.compile(f"'+[{_FORMULA}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``line`` is where it begins in the file, from 1; ``cells`` are by column, as they were meant."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a line, as a part of a sentence. ``column`` is empty where it is about the whole line."""

    line: int
    column: str
    why: str


def harmless(text: str) -> str:
    """This cell with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if _DANGEROUS.match(text) else text


def meant(cell: str) -> str:
    """What was written by ``harmless``, without its apostrophe. A formula somebody typed is the text it is."""
    return cell[1:] if _MADE_HARMLESS.match(cell) else cell


def line_of(cells: Iterable[object]) -> str:
    """A line of a file, with its end."""
    written = io.StringIO(newline="")
    csv.writer(written).writerow([harmless(str(cell)) for cell in cells])
    return written.getvalue()


def read(
    data: bytes, *, columns: Sequence[str], needed: Collection[str], most_rows: int
) -> tuple[list[Row], list[Fault]]:
    """
    The rows below the first line, which names the columns (any of these, in any order), and what is wrong. Empty lines
    are passed over. Reading ends at the first thing after which nothing can be understood.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return [], [Fault(line=line, column="", why="is not UTF-8: save the file as CSV UTF-8")]
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    faults: list[Fault] = []
    named: list[str] | None = None
    while True:
        at = lines.line_num + 1
        try:
            cells = next(lines, None)
        except csv.Error as error:
            return rows, [*faults, Fault(line=at, column="", why=f"cannot be read: {error}")]
        if cells is None:
            break
        if not any(cells):
            continue
        if named is None:
            named = [cell.strip() for cell in cells]
            if faults := _faults_of_columns(named, at, columns, needed):
                return [], faults
        elif len(rows) == most_rows:
            return rows, [*faults, Fault(line=at, column="", why=f"is one more than {most_rows:,}: split the file")]
        elif len(cells) != len(named):
            faults.append(Fault(line=at, column="", why=f"has {len(cells)} cells, the first line has {len(named)}"))
        else:
            rows.append(Row(line=at, cells=dict(zip(named, map(meant, cells), strict=True))))
    return rows, faults or ([] if named else [Fault(line=1, column="", why="is empty: it names the columns")])


def _faults_of_columns(named: list[str], at: int, columns: Sequence[str], needed: Collection[str]) -> list[Fault]:
    known = f"the columns are {', '.join(columns)}, with commas between them"
    return [
        *(Fault(line=at, column=name[:64], why=f"is no column: {known}") for name in named if name not in columns),
        *(Fault(line=at, column=name, why="stands here twice") for name in columns if named.count(name) > 1),
        *(Fault(line=at, column=name, why="is missing") for name in columns if name in needed and name not in named),
    ]
