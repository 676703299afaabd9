from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.payments.service import Payments
from tests.provider.counter import Counter, Ear
from tests.provider.fixture import SECRET, RunningProvider


@pytest.fixture(scope="session")
def ear(provider: RunningProvider) -> Iterator[Ear]:
    """Where the provider's webhooks go."""
    ear = Ear()
    provider.announce_to(ear.url)
    yield ear
    ear.close()


def pay_with(settings: Any, provider: RunningProvider) -> Payments:
    settings.PAYMENT_PROVIDER = "stripe"
    settings.STRIPE_API_KEY = "sk_test_thetesters"
    settings.STRIPE_WEBHOOK_SECRETS = (SECRET,)
    settings.STRIPE_API_BASE = provider.url
    settings.PROVIDER_TIMEOUT = 0.8
    settings.PROVIDER_WAITERS = 50
    return Payments()


@pytest.fixture
def service(settings: Any, provider: RunningProvider) -> Payments:
    """Payments with the real adapter of Stripe, and the tester's provider behind it."""
    return pay_with(settings, provider)


@pytest.fixture
def counter(service: Payments, provider: RunningProvider) -> Counter:
    """Where one customer pays. Nobody listens to webhooks."""
    return Counter(service, provider)


@pytest.fixture
def heard(committed: None, counter: Counter, ear: Ear) -> Iterator[Counter]:
    """The same, and webhooks are listened to."""
    with ear.listening(counter):
        yield counter
