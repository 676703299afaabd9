from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.dynconf import values
from runtime.dynconf.values import Snapshot


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """What a test had this process go by is forgotten."""
    yield
    values.apply(Snapshot())
