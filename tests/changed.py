"""Values that change while everything runs, as a test wants this process to have heard of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from runtime.dynconf import values
from runtime.dynconf.values import Snapshot


@pytest.fixture
def go_by() -> Iterator[Callable[[dict[str, str]], None]]:
    """``go_by({"orders.accepting": "off"})``; the rest is at its default, and all of it afterwards."""
    yield lambda texts: values.apply(Snapshot(version=values.current().version + 1, texts=texts))
    values.apply(Snapshot())
