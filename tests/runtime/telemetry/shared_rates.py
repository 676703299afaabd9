"""What all processes have added, for tests of it: ``from ... import shared`` makes the fixture known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from runtime.telemetry import rates
from runtime.telemetry.rates import Rates

__all__ = ["shared"]


@pytest.fixture
def shared() -> Iterator[Rates]:
    """Empty; what this process had made of another cache is forgotten."""
    found = Rates(settings.CACHE_URL or "")
    rates.flush()
    found._redis.flushdb()
    rates.shared_rates.cache_clear()
    yield found
    found._redis.flushdb()
    rates.shared_rates.cache_clear()
