"""`make bench`: start everything, measure in rounds, show tables, write bench.json and bench.svg, stop everything."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks import apart, calls, engine, events, machine, report, tracing
from benchmarks.chart import svg
from benchmarks.errors import BadSetting, BenchmarkFailed, NoProc
from benchmarks.figures import Figures
from benchmarks.rounds import Wanted, measure
from benchmarks.system import System
from config.demonstration import DemonstrationFailed
from runtime.embedded.errors import EmbeddedError
from runtime.embedded.state import make_private, state_dir, write_json

INTERRUPTED = 130


def main() -> int:
    console = Console()
    folder = state_dir(os.environ)
    # A closed terminal or `kill` is an end like Ctrl-C: what was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        wanted = wanted_by(os.environ)
        if not Path("/proc/self/stat").exists():
            raise NoProc
        sizes, asked, beside = events_by(os.environ), calls_by(os.environ), apart_by(os.environ)
        figures, turns, traced, facts = run(System(folder / "bench"), wanted, console)
        with console.status("Events") as status:
            backlogs = events.measure_events(folder / "bench", sizes, tell=status.update)
        with console.status("Calls") as status:
            called = calls.measure_calls(folder / "bench", rounds=wanted.rounds, calls=asked, tell=status.update)
        sides = measured_apart(folder, wanted, console) if beside else []
    except (BenchmarkFailed, EmbeddedError, DemonstrationFailed) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return INTERRUPTED
    report.show(figures, console)
    report.show_engine(turns, console)
    report.show_events(backlogs, console)
    report.show_calls(called, console)
    if sides:
        report.show_apart(sides, console)
    report.show_tracing(traced, console)
    found = {
        **facts,
        **report.as_json(figures),
        "engine": engine.as_json(turns),
        "events": events.as_json(backlogs),
        "calls": calls.as_json(called),
        "apart": apart.as_json(sides),
        "tracing": tracing.as_json(traced),
    }
    write_json(make_private(folder) / "bench.json", found)
    (folder / "bench.svg").write_text(svg(figures))
    console.print(f"All of it: {folder / 'bench.json'}; as a picture: {folder / 'bench.svg'}", highlight=False)
    return 0


def measured_apart(folder: Path, wanted: Wanted, console: Console) -> list[list[apart.Side]]:
    with console.status("Apart") as status:
        return apart.measure_apart(folder / "bench", rounds=wanted.rounds, orders=wanted.orders, tell=status.update)


def apart_by(environ: Mapping[str, str]) -> bool:
    """APART: whether an order in four services is measured beside one in a single process group. Raises BadSetting."""
    said = environ.get("APART") or "on"
    if said not in {"on", "off"}:
        raise BadSetting(name="APART", value=said, wanted="it takes on or off")
    return said == "on"


def wanted_by(environ: Mapping[str, str]) -> Wanted:
    """ROUNDS, ORDERS and CONCURRENCY. Raises BadSetting."""
    return Wanted(
        rounds=_whole("ROUNDS", environ.get("ROUNDS") or "5"),
        orders=_whole("ORDERS", environ.get("ORDERS") or "500"),
        concurrencies=tuple(
            _whole("CONCURRENCY", word.strip()) for word in (environ.get("CONCURRENCY") or "1,8").split(",")
        ),
    )


def events_by(environ: Mapping[str, str]) -> list[int]:
    """EVENTS: how long each backlog is. Raises BadSetting."""
    return [_whole("EVENTS", word.strip()) for word in (environ.get("EVENTS") or "1000,100000").split(",")]


def calls_by(environ: Mapping[str, str]) -> int:
    """CALLS: how many of each kind in a round. Raises BadSetting."""
    return _whole("CALLS", environ.get("CALLS") or "2000")


def _whole(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise BadSetting(name=name, value=value, wanted="it takes whole numbers from 1")
    return int(value)


def run(
    system: System, wanted: Wanted, console: Console
) -> tuple[Figures, list[engine.Turn], tracing.Tracing, dict[str, Any]]:
    """
    What an order costs, what the engine's share of it is, what telemetry adds, and the facts to judge them by. Raises
    BenchmarkFailed; the system is stopped in any case.
    """
    facts: dict[str, Any] = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.machine(),
        "load_average_before": machine.load_average(),
    }
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} orders"),
    )
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("Starting everything", total=wanted.steps)
        try:
            system.start()
            facts["versions"] = machine.versions(system)
            facts["settings"] = {
                "rounds": wanted.rounds,
                "orders": wanted.orders,
                "concurrencies": list(wanted.concurrencies),
                **machine.settings(),
            }
            figures = measure(
                system, wanted, tell=lambda what, more: progress.update(bar, description=what, advance=more)
            )
            turns = engine.measure_engine(
                system,
                rounds=wanted.rounds,
                orders=wanted.orders,
                tell=lambda what: progress.update(bar, description=what),
            )
            traced = tracing.measure_tracing(
                system,
                rounds=wanted.rounds,
                orders=wanted.orders,
                tell=lambda what: progress.update(bar, description=what),
            )
        finally:
            progress.update(bar, description="Stopping everything")
            system.stop()
    system.clean()
    facts["load_average_after"] = machine.load_average()
    return figures, turns, traced, json.loads(json.dumps(facts))


if __name__ == "__main__":
    sys.exit(main())
