"""What is made of the figures of calls."""

from __future__ import annotations

from benchmarks.calls import CallRound, verdicts


def measured(remote: float, local: float) -> CallRound:
    return CallRound(
        health=(100.0, 300.0),
        remote={"quote": (remote / 2, remote / 2), "release": (200.0, 200.0)},
        local={"quote": local, "release": 3.0},
        straight={"quote": 2.0, "release": 1.0},
    )


def test_a_ratio_is_of_both_sides_and_what_a_local_call_adds_is_without_the_function():
    (one,) = [measured(remote=800.0, local=9.5)]

    assert (one.ratio("quote"), one.ratio("release")) == (2.0, 1.0)
    assert (one.added("quote"), one.added("release")) == (7.5, 2.0)


def test_the_verdict_is_the_median_of_the_rounds_with_both_ends_beside_the_target():
    rounds = [measured(400.0, 5.0), measured(800.0, 9.0), measured(600.0, 20.0)]

    assert verdicts(rounds) == [
        "A remote quote costs 1.50 times a health request (1.00-2.00) (target: at most 2).",
        "A local quote costs 7.0 µs more than the function (3.0-18.0) (target: less than 10).",
        "A remote release costs 1.00 times a health request (1.00-1.00) (target: at most 2).",
        "A local release costs 2.0 µs more than the function (2.0-2.0) (target: less than 10).",
    ]
