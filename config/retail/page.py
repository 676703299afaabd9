"""
What a replay came to, as a page that stands by itself: the same numbers as the table, and the history as a picture.

Each bar is a day of the history (a week or a month where it is long): its invoices by what became of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape

from config.retail.history import Invoice
from config.retail.replay import BEFORE, PLACED

__all__ = ["NOT_TRIED", "Account", "Bar", "bars", "page"]

NOT_TRIED = "not tried in this run"

_COLOURS = {PLACED: "#3ca951", BEFORE: "#a5d8ac", NOT_TRIED: "#97989d"}
_REFUSED = ("#ff725c", "#efb118", "#4269d0", "#a463f2", "#9c6b4e")
"""In the order in which reasons are met."""

_MOST_BARS = 70
_WIDTH, _HEIGHT = 960, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 20, 56

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin-top: 1rem }
th, td { padding: .3rem 1rem .3rem 0; text-align: left; border-bottom: 1px solid #8884 }
td + td, th + th { text-align: right; font-variant-numeric: tabular-nums }
tr:last-child { font-weight: bold }
svg { width: 100%; height: auto }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .4em }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A line of the table: rows of the file, and where they are sales, invoices and their sum, as they are written."""

    name: str
    rows: str
    invoices: str
    total: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The invoices from one day on, by what became of them."""

    since: date
    outcomes: Counter[str]


def bars(invoices: Iterable[Invoice], outcomes: dict[str, str]) -> list[Bar]:
    """
    Over the whole history, days without an invoice included. ``outcomes``: by the invoice's number; what is missing was
    not tried.
    """
    counted: Counter[tuple[date, str]] = Counter()
    for invoice in invoices:
        counted[invoice.at.date(), outcomes.get(invoice.number, NOT_TRIED)] += 1
    if not counted:
        return []
    first, last = min(counted)[0], max(counted)[0]
    start, following = _steps((last - first).days + 1)
    found: list[Bar] = []
    since = start(first)
    while since <= last:
        until = following(since)
        inside = Counter[str]()
        for (day, outcome), number in counted.items():
            if since <= day < until:
                inside[outcome] += number
        found.append(Bar(since=since, outcomes=inside))
        since = until
    return found


def _steps(days: int) -> tuple[Callable[[date], date], Callable[[date], date]]:
    """Where a bar begins, and where the next one does: days, weeks from Monday, or months."""
    if days <= _MOST_BARS:
        return lambda day: day, lambda day: day + timedelta(days=1)
    if days <= _MOST_BARS * 7:
        return lambda day: day - timedelta(days=day.weekday()), lambda day: day + timedelta(days=7)
    return lambda day: day.replace(day=1), lambda day: (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def page(*, file: str, at: datetime, accounts: Sequence[Account], shown: Sequence[Bar]) -> str:
    """HTML with the picture in it. Asks for nothing else, from anywhere."""
    colours = _colours(shown)
    legend = " ".join(
        f'<span><span class="swatch" style="background:{colour}"></span>{escape(name)}</span>'
        for name, colour in colours.items()
    )
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in (each.name, each.rows, each.invoices, each.total))}</tr>"
        for each in accounts
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Replay of {escape(file)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Replay of {escape(file)}</h1>
<p>{at:%Y-%m-%d %H:%M} UTC. Each sale invoice of the history is one order, placed over HTTP.</p>
{_picture(shown, colours)}
<p>{legend}</p>
<table>
<thead><tr><th>what became of them</th><th>rows</th><th>invoices</th><th>sum</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _colours(shown: Sequence[Bar]) -> dict[str, str]:
    """Of the outcomes that there are: the good ones first, what was not tried last."""
    names = dict.fromkeys(name for bar in shown for name in bar.outcomes)
    refused = [name for name in names if name not in _COLOURS]
    found = {name: _COLOURS[name] for name in (PLACED, BEFORE) if name in names}
    found |= {name: _REFUSED[place % len(_REFUSED)] for place, name in enumerate(refused)}
    return found | ({NOT_TRIED: _COLOURS[NOT_TRIED]} if NOT_TRIED in names else {})


def _picture(shown: Sequence[Bar], colours: dict[str, str]) -> str:
    if not shown:
        return "<p>There is no sale invoice in it.</p>"
    most = max(bar.outcomes.total() for bar in shown)
    height, room = _HEIGHT - _TOP - _BOTTOM, (_WIDTH - _LEFT - _RIGHT) / len(shown)
    shapes = []
    for part in (0.0, 0.5, 1.0):
        y = _TOP + height * (1 - part)
        shapes.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="currentColor" opacity="0.2"/>')
        shapes.append(_text(_LEFT - 8, y + 4, f"{most * part:,.0f}", anchor="end"))
    every = -(-len(shown) // 10)
    for place, bar in enumerate(shown):
        x, below = _LEFT + room * place, 0
        for name, colour in colours.items():
            if number := bar.outcomes[name]:
                below += number
                shapes.append(
                    f'<rect x="{x + room * 0.1:.1f}" y="{_TOP + height * (1 - below / most):.1f}"'
                    f' width="{room * 0.8:.1f}" height="{height * number / most:.2f}" fill="{colour}">'
                    f"<title>{bar.since}: {number:,} {escape(name)}</title></rect>"
                )
        if place % every == 0:
            shapes.append(_text(x + room / 2, _HEIGHT - _BOTTOM + 20, f"{bar.since}"))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Invoices by day and by what became of them">'
        f"{''.join(shapes)}</svg>"
    )


def _text(x: float, y: float, words: str, *, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12" fill="currentColor">{words}</text>'
