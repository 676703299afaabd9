"""
While one domain is gone, stalls, crashes or talks rubbish, what does not need it goes on as if nothing were.

In short here; ``make chaos-neighbours`` has three rounds of 30 seconds, and compares how long everything took.
"""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest

from tests.neighbours.conftest import FULL
from tests.neighbours.ends import assert_nothing_else_was_done, await_ends, wrong_ends
from tests.neighbours.report import tell
from tests.neighbours.town import THREADS, Town
from tests.neighbours.visitors import Visitors, median_p99
from tests.neighbours.watching import Watch

ROUNDS = int(os.environ.get("NEIGHBOURS_ROUNDS") or (3 if FULL else 1))
SECONDS = float(os.environ.get("NEIGHBOURS_SECONDS") or (30 if FULL else 5))

SUCCESS = 0.995
SLOWER = 3.0
HEALED_WITHIN = 15.0 if FULL else 60.0
"""Seconds until the breaker is closed again: the tests share their machine with others."""

GO_ON = {
    "payments": ("browse", "sign in", "read orders"),
    "users": ("browse", "read orders"),
    "inventory": ("sign in", "read orders"),
}
"""What does not need this domain."""

LEGAL = {
    "payments": {"202", "201", "402 payment_declined"},
    "users": {"202", "201", "402 payment_declined"},
    # It is asked for the prices first. Whoever had them may find it gone a moment later.
    "inventory": {"503 inventory_unavailable", "202", "201", "402 payment_declined"},
}
"""How an order may be answered meanwhile (interface.md)."""

FAULTS = (
    ("payments", "stopped"),
    ("payments", "stalled"),
    ("payments", "500"),
    ("payments", "garbage"),
    ("users", "stopped"),
    ("inventory", "stopped"),
)


@pytest.mark.apart
@pytest.mark.parametrize(("domain", "fault"), FAULTS, ids=[f"{domain} {fault}" for domain, fault in FAULTS])
def test_what_does_not_need_it_goes_on_and_orders_end_as_they_should(
    town: Town, visitors: Visitors, domain: str, fault: str
) -> None:
    watches = [one_round(town, visitors, domain, fault, number) for number in range(1, ROUNDS + 1)]
    ends = await_ends(town, visitors.purchases)
    tell(domain, fault, visitors, watches, ends)

    for kind in GO_ON[domain]:
        visits = visitors.of(kind, "faulty")
        failed = Counter(f"{visit.status} {visit.code}" for visit in visits if not visit.went_well)
        assert failed.total() <= (1 - SUCCESS) * len(visits), (kind, failed)
    assert set(visitors.answers("faulty")) <= LEGAL[domain]
    assert visitors.answers("faulty").total() > 0
    for watch in watches:
        assert "open" in watch.states, watch.states
        assert watch.is_closed, watch.states
    assert wrong_ends(visitors.purchases, ends) == []
    assert_nothing_else_was_done(town, visitors)
    if FULL:
        assert max(watch.busiest for watch in watches) < THREADS
        for kind in GO_ON[domain]:
            quiet, faulty = (median_p99(visitors.of(kind, phase)) for phase in ("quiet", "faulty"))
            assert faulty <= SLOWER * quiet, (kind, quiet, faulty)


def one_round(town: Town, visitors: Visitors, domain: str, fault: str, number: int) -> Watch:
    """So long a quiet time, then so long a fault, then until the domain is asked again."""
    watch = Watch(town, domain)
    visitors.phase, visitors.round = "quiet", number
    with visitors.coming(), watch.looking():
        time.sleep(SECONDS)
        with town.faults[fault](domain):
            visitors.phase = "faulty"
            # What stalls is found out after an order's three seconds, twice.
            time.sleep(max(SECONDS, 9.0) if fault == "stalled" else SECONDS)
            visitors.phase = "healing"
        town.shop.wait_until(lambda: watch.is_closed, limit=HEALED_WITHIN)
    return watch
