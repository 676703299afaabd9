"""RabbitMQ for the tests: one for each process that runs tests of it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from benchmarks.rabbitmq import RabbitMQ, is_installed


@pytest.fixture(scope="session")
def rabbit() -> Iterator[RabbitMQ]:
    if not is_installed():
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail("RabbitMQ is not installed, and REQUIRE_ALL=1 says that it has to be.")
        pytest.skip("RabbitMQ is not installed.")
    server = RabbitMQ()
    try:
        server.start()
        yield server
    finally:
        server.end()
