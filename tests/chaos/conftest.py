from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.house import House

FULL = os.environ.get("CHAOS") == "full"
SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all, mistreated by one test after the other."""
    with House(tmp_path_factory.mktemp("chaos")) as house:
        yield house


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    print(f"CHAOS_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.name}")


def pytest_report_header() -> str:
    return f"chaos: CHAOS_SEED={SEED}, {'in full' if FULL else 'a slice (make chaos-money runs all of it)'}"


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("money"))
            item.add_marker(pytest.mark.timeout(7200 if FULL else 600))
