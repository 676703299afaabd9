from __future__ import annotations

import pytest
from django.db import connections

from tests.orders.shop import Shop


@pytest.fixture
def shop(request) -> Shop:
    """A shop in the test's own transaction, or with real commits where the test asks for ``committed``."""
    request.getfixturevalue("committed" if "committed" in request.fixturenames else "db")
    return Shop()


@pytest.fixture(autouse=True)
def clock_back():
    """What a test shifted is gone with its connection."""
    yield
    for connection in connections.all(initialized_only=True):
        if connection.alias == "orders" and connection.connection is not None:
            connection.close()
