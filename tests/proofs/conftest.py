"""Proofs take minutes: `make proof` runs them, `make test` leaves them out."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2].parent / "shared/data"


@pytest.fixture(scope="session")
def histories() -> tuple[Path, Path]:
    """The first week and the first nine months of a real shop's sales."""
    files = (DATA / "online_retail_2010-12_week1.csv.xz", DATA / "online_retail_2010-12_2011-08.csv.xz")
    if not all(file.exists() for file in files):
        pytest.skip("the sales history is not here: shared/data beside the checkout")
    return files


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.proof)
            item.add_marker(pytest.mark.timeout(3600))
