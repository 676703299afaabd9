"""What telemetry adds: which orders are traced, and how the rounds are put together."""

from __future__ import annotations

import pytest

from benchmarks.load import _traceparent
from benchmarks.tracing import ALL, NONE, TENTH, Tracing, Turn, verdict


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.1, 20), (1.0, 200)])
def test_as_many_orders_are_traced_as_were_wanted(share, expected):
    sent = [_traceparent(number, share)["traceparent"] for number in range(200)]

    assert sum(one.endswith("-01") for one in sent) == expected
    assert sum(one.endswith("-00") for one in sent) == 200 - expected
    assert len({one[3:35] for one in sent}) == 200
    assert _traceparent(0, None) == {}


def test_each_round_says_for_itself_what_was_added_and_the_looking_is_added_too():
    def turns(none: float, tenth: float, every: float) -> list[Turn]:
        told = zip((NONE, TENTH, ALL), (none, tenth, every), strict=True)
        return [Turn(share=share, cpu_ms=cpu_ms) for share, cpu_ms in told]

    # In the second round the machine was busy with something else.
    rounds = [turns(21, 21.2, 22), turns(41, 41.4, 43), turns(21, 22, 25)]
    found = Tracing(rounds=rounds, spans=54, looking_ms=1.0, recorded_ms=2.0)

    assert found.added_percent(NONE) == pytest.approx(5.0)
    assert found.added_percent(TENTH) == pytest.approx(6.0)
    assert found.added_percent(ALL) == pytest.approx(10.0)
    assert found.typical(NONE) == 21
    assert "missed" in verdict(found)
