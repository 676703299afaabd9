from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.supervision.leftovers import clear_leftovers
from runtime.embedded.placement import discard

_SETTINGS = (
    "DATABASE_URL",
    "BROKER_URL",
    "CACHE_URL",
    "PORT",
    "TOPOLOGY",
    "STATE_DIR",
    "OPERATOR_EMAIL",
    "OPERATOR_PASSWORD",
    "SECRET_KEY",
    "SERVICE_KEY",
    "JWT_SIGNING_KEY",
)


@pytest.fixture(scope="session")
def application() -> Any:
    """The small application that the supervisor runs here, and ways to run it."""
    spec = importlib.util.spec_from_file_location("application", Path(__file__).with_name("application.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory that leaves nothing behind, neither files nor processes."""
    folder = tmp_path / "state"
    yield folder
    clear_leftovers(folder, lambda _: None)
    discard(folder)


@pytest.fixture
def environ() -> dict[str, str]:
    """An environment that names no server and leaves the port open."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(_SETTINGS)}
    return {**kept, "PORT": "0"}
