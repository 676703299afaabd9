from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.discovery.consul_server import ConsulServer


@pytest.fixture
def consul() -> Iterator[ConsulServer]:
    server = ConsulServer(token="a token of Consul's")
    yield server
    server.stop()
