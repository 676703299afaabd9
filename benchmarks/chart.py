"""The figures as a picture: CPU for an order by process, beside PostgreSQL alone, for each concurrency. SVG by hand."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from benchmarks.figures import TARGET_RATIO, Figures, cpu_of

_COLOURS = {
    "web": "#4269d0",
    "worker": "#efb118",
    "relay": "#ff725c",
    "postgres": "#3ca951",
    "valkey": "#9c6b4e",
}
_OTHER = "#97989d"
_ALONE = "#2b5c34"

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 170, 64, 64
_BAR, _GAP = 84, 14


@dataclass(frozen=True, slots=True)
class _Part:
    """One colour of a bar. ``value`` is in milliseconds."""

    name: str
    colour: str
    value: float


def svg(figures: Figures) -> str:
    """A picture that stands by itself, readable on a white and on a dark page."""
    ours = {each: _parts(figures, each) for each in figures.concurrencies}
    alone = {
        each: figures.over_rounds(each, lambda pair: pair.yardstick.postgres_ms).median
        for each in figures.concurrencies
    }
    top = 1.12 * max(
        [sum(part.value for part in parts) for parts in ours.values()] + [TARGET_RATIO * ms for ms in alone.values()]
    )
    shapes = [*_frame(top), *_legend(next(iter(ours.values())))]
    width = (_WIDTH - _LEFT - _RIGHT) / len(ours)
    for place, each in enumerate(ours):
        middle = _LEFT + width * (place + 0.5)
        ratio = figures.over_rounds(each, lambda pair: pair.ratio).median
        shapes += _pair(middle, f"{each} at once", ours[each], alone[each], ratio, top)
    return _document(shapes)


def _parts(figures: Figures, concurrency: int) -> list[_Part]:
    return [
        _Part(role, _COLOURS.get(role, _OTHER), figures.over_rounds(concurrency, cpu_of(role)).median)
        for role in figures.roles
    ]


# --- Shapes ---------------------------------------------------------------------------------------------------------


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)


def _pair(middle: float, name: str, parts: list[_Part], alone: float, ratio: float, top: float) -> list[str]:
    """Our bar, stacked, and PostgreSQL's beside it; the line is where the target is."""
    left, right = middle - _BAR - _GAP / 2, middle + _GAP / 2
    total = sum(part.value for part in parts)
    target = _y(TARGET_RATIO * alone, top)
    return [
        *_stack(left, parts, top),
        *_stack(right, [_Part("PostgreSQL alone", _ALONE, alone)], top),
        _text(left + _BAR / 2, _y(total, top) - 8, f"{total:.1f} ms", weight="bold"),
        _text(right + _BAR / 2, _y(alone, top) - 8, f"{alone:.1f} ms"),
        f'<line x1="{left - 8:.1f}" x2="{right + _BAR + 8:.1f}" y1="{target:.1f}" y2="{target:.1f}"'
        ' stroke="#d62728" stroke-dasharray="6 4"/>',
        _text(middle, _HEIGHT - _BOTTOM + 22, name),
        _text(middle, _HEIGHT - _BOTTOM + 42, f"{ratio:.1f} times PostgreSQL alone", weight="bold"),
    ]


def _stack(left: float, parts: list[_Part], top: float) -> list[str]:
    shapes, below = [], 0.0
    for part in parts:
        upper, lower = _y(below + part.value, top), _y(below, top)
        below += part.value
        shapes.append(
            f'<rect x="{left:.1f}" y="{upper:.1f}" width="{_BAR}" height="{lower - upper:.1f}" fill="{part.colour}">'
            f"<title>{escape(part.name)}: {part.value:.2f} ms</title></rect>"
        )
    return shapes


def _frame(top: float) -> list[str]:
    step = _step(top)
    shapes = [_text(_LEFT, 28, "CPU for an order of three lines, in milliseconds", size=17, anchor="start")]
    for number in range(int(top / step) + 1):
        y = _y(number * step, top)
        shapes.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity="0.2"/>'
        )
        shapes.append(_text(_LEFT - 8, y + 4, f"{number * step:g}", anchor="end"))
    return shapes


def _step(top: float) -> float:
    """Round numbers, five to ten of them."""
    return next(step for step in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, float("inf")) if top / step <= 8)


def _legend(parts: list[_Part]) -> list[str]:
    shapes = []
    entries = [(part.name, part.colour) for part in reversed(parts)] + [("PostgreSQL alone", _ALONE)]
    for place, (name, colour) in enumerate(entries):
        x, y = _WIDTH - _RIGHT + 14, _TOP + 24 * place
        shapes.append(f'<rect x="{x}" y="{y}" width="14" height="14" fill="{colour}"/>')
        shapes.append(_text(x + 22, y + 12, name, anchor="start"))
    y = _TOP + 24 * len(entries) + 8
    x = _WIDTH - _RIGHT + 14
    shapes.append(f'<line x1="{x}" x2="{x + 14}" y1="{y}" y2="{y}" stroke="#d62728" stroke-dasharray="6 4"/>')
    shapes.append(_text(x + 22, y + 5, f"target: {TARGET_RATIO:g} times", anchor="start"))
    return shapes


def _text(x: float, y: float, words: str, *, anchor: str = "middle", size: int = 13, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
        f' fill="currentColor">{escape(words)}</text>'
    )


def _document(shapes: list[str]) -> str:
    light, dark = "svg { color: #222; background: #fff }", "svg { color: #ddd; background: #1b1b1b }"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"'
            f' height="{_HEIGHT}" font-family="system-ui, sans-serif" role="img"'
            ' aria-label="CPU for an order by process, beside PostgreSQL alone">',
            f"<style>{light} @media (prefers-color-scheme: dark) {{ {dark} }}</style>",
            *shapes,
            "</svg>",
            "",
        ]
    )
