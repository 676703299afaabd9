from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.neighbours.town import Town
from tests.neighbours.visitors import Visitors

FULL = os.environ.get("NEIGHBOURS") == "full"


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One for all: a fault that is over has left nothing behind."""
    with Town(tmp_path_factory.mktemp("neighbours")) as town:
        yield town


@pytest.fixture
def visitors(town: Town) -> Visitors:
    return Visitors(town.shop, share=1.0 if FULL else 0.5)


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("neighbours"))
            item.add_marker(pytest.mark.timeout(3600 if FULL else 300))
