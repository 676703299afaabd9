"""The arithmetic behind the figures."""

from __future__ import annotations

import pytest

from benchmarks.figures import Pair, Run, Spread, Written, percentile, spread, used


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], Spread(median=3.0, lowest=3.0, highest=3.0)),
        ([9.0, 1.0, 2.0], Spread(median=2.0, lowest=1.0, highest=9.0)),
        ([1.0, 2.0, 4.0, 9.0], Spread(median=3.0, lowest=1.0, highest=9.0)),
    ],
)
def test_a_spread_is_the_median_and_both_ends(values, expected):
    assert spread(iter(values)) == expected


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.501, 51), (0.99, 99), (0.991, 100), (1.0, 100)]
)
def test_a_percentile_is_a_value_that_was_measured(share, expected):
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_what_was_used_is_the_difference_and_never_negative():
    assert used({"web": 1.0, "relay": 2.0}, {"web": 1.5, "relay": 1.99}) == {"web": 0.5, "relay": 0.0}


def test_the_ratio_is_all_of_an_order_over_what_the_server_needs_for_its_rows():
    run = Run(
        concurrency=8,
        orders=100,
        seconds=4.0,
        p50_ms=1.0,
        p99_ms=2.0,
        cpu_ms={"web": 10.0, "postgres": 5.0},
        statuses={"201": 100},
    )
    pair = Pair(run=run, yardstick=Written(orders=100, seconds=1.0, postgres_ms=1.25, client_ms=0.25))
    assert (run.all_ms, run.per_second) == (15.0, 25.0)
    assert (pair.ratio, pair.ratio_with_client) == (12.0, 10.0)
