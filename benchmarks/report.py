"""The figures as tables for a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import apart, calls, engine, tracing
from benchmarks.apart import Side
from benchmarks.calls import CallRound
from benchmarks.engine import Turn
from benchmarks.events import Backlog, verdict
from benchmarks.figures import CLIENT, TARGET_RATIO, TARGET_WEB_BYTES, Figures, Pair, Spread, cpu_of
from benchmarks.tracing import Tracing

_SPEED: tuple[tuple[str, Callable[[Pair], float]], ...] = (
    ("orders a second", lambda pair: pair.run.per_second),
    ("latency p50, ms", lambda pair: pair.run.p50_ms),
    ("latency p99, ms", lambda pair: pair.run.p99_ms),
    (f"{CLIENT}, orders a second", lambda pair: pair.yardstick.orders / pair.yardstick.seconds),
)


def show(figures: Figures, console: Console) -> None:
    """Fits a terminal of 80 columns."""
    console.print(_cpu_table(figures), _speed_table(figures), _asked_table(figures), _memory_table(figures))
    for line in verdicts(figures):
        console.print(line, highlight=False)


def show_engine(turns: Sequence[Turn], console: Console) -> None:
    table = _table(
        "CPU for an order's four steps, ms: a pair of rows for each round", "", "ours", "PostgreSQL", "the engine"
    )
    for number, turn in enumerate(turns, start=1):
        table.add_row(f"{number} straight", f"{turn.straight_ms:.2f}", f"{turn.straight_postgres_ms:.2f}", "")
        words = (f"{turn.engine_ms:.2f}", f"{turn.engine_postgres_ms:.2f}", f"{turn.added_ms:+.2f}")
        table.add_row(f"{number} by the engine", *words)
    console.print(table)
    console.print(engine.verdict(list(turns)), highlight=False)


def show_calls(rounds: Sequence[CallRound], console: Console) -> None:
    table = _table("CPU for a call, µs: rows for each round", "", "client", "server", "both")
    for number, each in enumerate(rounds, start=1):
        sides = {"a health request": each.health, **{f"{name}, remote": found for name, found in each.remote.items()}}
        for name, (client, server) in sides.items():
            table.add_row(f"{number} {name}", f"{client:.0f}", f"{server:.0f}", f"{client + server:.0f}")
        for name in each.local:
            table.add_row(f"{number} {name}, local", f"{each.local[name]:.1f}", "", "")
            table.add_row(f"{number} {name}, the function", f"{each.straight[name]:.1f}", "", "")
    console.print(table)
    for sentence in calls.verdicts(list(rounds)):
        console.print(sentence, highlight=False)


def show_events(backlogs: Sequence[Backlog], console: Console) -> None:
    if backlogs:
        table = _table("Events a second through RabbitMQ", "backlog", "relayed", "relayed and handled")
        for each in backlogs:
            table.add_row(f"{each.events:,}", f"{each.relayed:,.0f}", f"{each.carried:,.0f}")
        console.print(table)
    for line in verdict(backlogs):
        console.print(line, highlight=False)


def show_apart(rounds: list[list[Side]], console: Console) -> None:
    """One column for each way to run it, the medians over the rounds."""
    table = _table("One order at a time, together and apart: CPU, ms", "", *apart.NAMES.values())

    def row(name: str, figure: Callable[[Side], float], style: str = "") -> None:
        cells = [f"{apart.typical(rounds, each, figure):.2f}" for each in apart.NAMES]
        table.add_row(name, *cells, style=style)

    for role in rounds[0][-1].cpu_ms:
        row(role, partial(_of, role))
    row("all", lambda side: side.all_ms, style="bold")
    table.add_section()
    row("half are answered within, ms", lambda side: side.p50_ms)
    console.print(table)
    console.print(apart.verdict(rounds), highlight=False)


def show_tracing(found: Tracing, console: Console) -> None:
    """The medians over the rounds, one order at a time."""
    table = _table("What telemetry adds to an order: CPU, ms", "traces recorded", "an order", "added")
    for share in tracing.SHARES:
        table.add_row(f"{share:.0%}", f"{found.typical(share):.2f}", f"{found.added_percent(share):.1f} %")
    console.print(table)
    console.print(tracing.verdict(found), highlight=False)


def _of(role: str, side: Side) -> float:
    """What a group alone has no use for costs it nothing."""
    return side.cpu_ms.get(role, 0.0)


def verdicts(figures: Figures) -> list[str]:
    """The two targets, each in a sentence."""
    ratios = [figures.over_rounds(each, lambda pair: pair.ratio).median for each in figures.concurrencies]
    lines = [
        f"At {each} at once an order costs {ratio:.1f} times what PostgreSQL needs to write its rows "
        f"(target: at most {TARGET_RATIO:g})."
        for each, ratio in zip(figures.concurrencies, ratios, strict=True)
    ]
    largest, limit = figures.memory["web"].largest_rss / 1e6, TARGET_WEB_BYTES / 1e6
    return [*lines, f"The largest web process holds {largest:.0f} MB (target: less than {limit:.0f})."]


# --- Tables ---------------------------------------------------------------------------------------------------------


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD)
    table.add_column(headings[0])
    for heading in headings[1:]:
        table.add_column(heading, justify="right")
    return table


def _cpu_table(figures: Figures) -> Table:
    at_once = [f"{each} at once" for each in figures.concurrencies]
    table = _table("CPU for an order, ms: median (lowest-highest)", "", *at_once, "at rest, ms/s")

    def row(name: str, figure: Callable[[Pair], float], rest: str = "", style: str = "") -> None:
        cells = [_cell(figures.over_rounds(each, figure)) for each in figures.concurrencies]
        table.add_row(name, *cells, rest, style=style)

    for role in figures.roles:
        row(role, cpu_of(role), f"{figures.at_rest(role).median:.1f}")
    rest = sum(figures.at_rest(role).median for role in figures.roles)
    row("all", lambda pair: pair.run.all_ms, f"{rest:.1f}", style="bold")
    table.add_section()
    row("PostgreSQL alone", lambda pair: pair.yardstick.postgres_ms)
    row(f"{CLIENT} itself", lambda pair: pair.yardstick.client_ms)
    row("ratio: all / alone", lambda pair: pair.ratio, style="bold")
    row(f"... with {CLIENT}", lambda pair: pair.ratio_with_client)
    return table


def _speed_table(figures: Figures) -> Table:
    table = _table("Speed: median (lowest-highest)", "", *(f"{each} at once" for each in figures.concurrencies))
    for name, figure in _SPEED:
        table.add_row(name, *(_cell(figures.over_rounds(each, figure)) for each in figures.concurrencies))
    return table


def _asked_table(figures: Figures) -> Table:
    headings = ("in all", "reads", "writes", "BEGIN/COMMIT", "savepoints", "commits")
    table = _table("SQL for an order, by database role", "", *headings)
    rows = {
        role: (each.statements, each.reads, each.writes, each.transactions, each.savepoints, each.commits)
        for role, each in figures.asked.items()
    }
    for role, counts in rows.items():
        table.add_row(role, *(f"{count:.1f}" for count in counts))
    table.add_section()
    table.add_row("all", *(f"{sum(counts):.1f}" for counts in zip(*rows.values(), strict=True)), style="bold")
    written = f"{figures.yardstick_statements} writes in {figures.yardstick_transactions} transactions"
    table.caption = f"A statement by itself is a commit too.\n{CLIENT}: {written}."
    return table


def _memory_table(figures: Figures) -> Table:
    table = _table("Memory, MB", "", "processes", "largest (RSS)", "all (PSS)")
    for role, each in figures.memory.items():
        pss = "-" if each.pss is None else f"{each.pss / 1e6:.0f}"
        table.add_row(role, str(each.processes), f"{each.largest_rss / 1e6:.0f}", pss)
    return table


def _cell(found: Spread) -> str:
    middle, low, high = (f"{value:.1f}" for value in (found.median, found.lowest, found.highest))
    return f"{middle} ({low}-{high})"


# --- JSON -----------------------------------------------------------------------------------------------------------


def as_json(figures: Figures) -> dict[str, Any]:
    """Every round, and the medians with their spread by concurrency."""
    return {
        "rounds": [_round(number, figures) for number in range(len(figures.rounds))],
        "medians": {str(each): _medians(figures, each) for each in figures.concurrencies},
        "sql": {
            "by_role": {role: {**asdict(each), "statements": each.statements} for role, each in figures.asked.items()},
            "yardstick": {
                "transactions": figures.yardstick_transactions,
                "statements": figures.yardstick_statements,
            },
        },
        "memory_bytes": {role: asdict(each) for role, each in figures.memory.items()},
        "targets": {"ratio": TARGET_RATIO, "web_bytes": TARGET_WEB_BYTES},
    }


def _round(number: int, figures: Figures) -> dict[str, Any]:
    each = figures.rounds[number]
    pairs = [{**asdict(pair), "ratio": pair.ratio, "ratio_with_client": pair.ratio_with_client} for pair in each.pairs]
    return {"round": number + 1, "at_rest_ms_per_second": dict(each.at_rest_ms), "pairs": pairs}


def _medians(figures: Figures, concurrency: int) -> dict[str, Any]:
    def of(figure: Callable[[Pair], float]) -> dict[str, float]:
        return asdict(figures.over_rounds(concurrency, figure))

    return {
        "cpu_ms": {role: of(cpu_of(role)) for role in figures.roles},
        "all_ms": of(lambda pair: pair.run.all_ms),
        "yardstick_postgres_ms": of(lambda pair: pair.yardstick.postgres_ms),
        "yardstick_client_ms": of(lambda pair: pair.yardstick.client_ms),
        "ratio": of(lambda pair: pair.ratio),
        "ratio_with_client": of(lambda pair: pair.ratio_with_client),
        "orders_per_second": of(lambda pair: pair.run.per_second),
        "p50_ms": of(lambda pair: pair.run.p50_ms),
        "p99_ms": of(lambda pair: pair.run.p99_ms),
    }
