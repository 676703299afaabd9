from __future__ import annotations

import pytest
from django.db import connections

from apps.payments import service as module
from apps.payments.service import Payments
from tests.payments.provider import Provider
from tests.payments.till import Till


@pytest.fixture(autouse=True)
def clock_back():
    """What a test shifted is gone with its connection."""
    yield
    for connection in connections.all(initialized_only=True):
        if connection.alias == "payments" and connection.connection is not None:
            connection.close()


@pytest.fixture
def till(settings) -> Till:
    """Payments with the sandbox as its provider, and room for many who ask it at once."""
    settings.PROVIDER_WAITERS = 50
    return Till(Payments())


@pytest.fixture
def provider(monkeypatch, settings) -> Provider:
    """A provider of the test's own, in use in place of the sandbox."""
    provider = Provider()
    monkeypatch.setitem(module.GATEWAYS, "testers", lambda: provider)
    settings.PAYMENT_PROVIDER = "testers"
    settings.PROVIDER_WAITERS = 50
    return provider


@pytest.fixture
def theirs(provider) -> Till:
    """Payments with the test's own provider."""
    return Till(Payments())
