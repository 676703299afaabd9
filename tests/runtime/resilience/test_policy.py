"""A policy that makes no sense is refused where it is written down, with the value."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from math import inf, nan

import pytest

from runtime.resilience import BadPolicy, CalleePolicy, MethodPolicy


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [
        ("seconds", 0, "0.01 to 60"),
        ("seconds", 61, "0.01 to 60"),
        ("seconds", nan, "0.01 to 60"),
        ("tries", 0, "1 to 10"),
        ("tries", 11, "1 to 10"),
        ("pause_seconds", -0.1, "0 to 5"),
        ("longest_pause_seconds", 0.01, "0.05 to 10"),
    ],
)
def test_a_methods_policy_out_of_bounds_is_refused(name, value, bounds):
    with pytest.raises(BadPolicy, match=rf"^{name} is {value}: it is from {bounds}$"):
        MethodPolicy(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [
        ("places", 0, "1 to 1000"),
        ("place_wait_seconds", 1.5, "0 to 1"),
        ("retry_percent", 101, "0 to 100"),
        ("saved_retries", 0, "1 to 1000"),
        ("failures", 0, "1 to 1000"),
        ("window_seconds", inf, "0.1 to 300"),
        ("open_seconds", 10.5, "0.01 to 10"),
        ("fair_seconds", -1, "0 to 10"),
    ],
)
def test_a_callees_policy_out_of_bounds_is_refused(name, value, bounds):
    with pytest.raises(BadPolicy, match=rf"^{name} is {value}: it is from {bounds}$"):
        CalleePolicy(**{name: value})


def test_a_method_has_its_own_policy_or_that_of_all():
    policy = CalleePolicy(every=MethodPolicy(seconds=3), methods={"look": MethodPolicy(seconds=1, reads=True)})

    assert (policy.of("look").seconds, policy.of("look").reads) == (1, True)
    assert (policy.of("act").seconds, policy.of("act").reads) == (3, False)
    with pytest.raises(FrozenInstanceError):
        policy.places = 5  # type: ignore[misc]
