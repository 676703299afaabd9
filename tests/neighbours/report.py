"""What was seen, as tables."""

from __future__ import annotations

from collections import Counter

from rich import box
from rich.console import Console
from rich.table import Table

from tests.neighbours.ends import Ends
from tests.neighbours.town import THREADS
from tests.neighbours.visitors import RATES, Visitors, median_p99, percentile
from tests.neighbours.watching import Watch


def tell(domain: str, fault: str, visitors: Visitors, watches: list[Watch], ends: Ends) -> None:
    console = Console(width=140)
    console.print(_visits(f"{domain} {fault}, rounds: {len(watches)}", visitors), _orders(visitors, ends), sep="\n")
    for number, watch in enumerate(watches, 1):
        console.print(
            f"  round {number}: orders' breaker for {domain} was {', '.join(watch.states)}; at most {watch.busiest} of"
            f" {THREADS} threads were busy; /metrics took {watch.slowest * 1000:.0f} ms at most",
            highlight=False,
        )


def _visits(title: str, visitors: Visitors) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for heading in ("", "requests", "success %", "p50 ms", "p99 ms", "requests", "success %", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("", "quiet", "", "", "", "faulty", "", "", "")
    for kind in RATES:
        cells = []
        for phase in ("quiet", "faulty"):
            visits = visitors.of(kind, phase)
            well = sum(visit.went_well for visit in visits)
            cells += [
                str(len(visits)),
                f"{100 * well / max(1, len(visits)):.1f}",
                f"{percentile(visits, 0.5) * 1000:.0f}",
                f"{median_p99(visits) * 1000:.0f}",
            ]
        table.add_row(kind, *cells)
    return table


def _orders(visitors: Visitors, ends: Ends) -> Table:
    table = Table(box=box.SIMPLE)
    for heading in ("placed", "method", "answered", "ended", "orders"):
        table.add_column(heading, justify="right" if heading == "orders" else "left")
    counted = Counter((each.phase, each.method, each.said, _end(ends, each.order_id)) for each in visitors.purchases)
    for (phase, method, said, end), count in sorted(counted.items()):
        table.add_row(phase, method, said, end, str(count))
    return table


def _end(ends: Ends, order_id: str | None) -> str:
    if order_id is None:
        return "nothing was stored"
    status, reason = ends[order_id]
    return f"{status} ({reason})" if reason else status
