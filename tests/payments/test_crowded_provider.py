"""Only so many wait for the provider; who finds the places taken is told at once, and his payment is not lost."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from apps.payments.service import Payments
from contracts._base import Unavailable
from tests.payments.till import Till
from tests.together import wait_until


@pytest.fixture
def crowded(committed, provider, settings):
    """One may wait for the provider, and one does, until the test lets it go."""
    settings.PROVIDER_WAITERS = 1
    service, go, waiting = Payments(), threading.Event(), threading.Event()

    def hold(answer):
        waiting.set()
        assert go.wait(20)
        return answer

    provider.misbehave["charge"] = [hold]
    first = Till(service)

    def wait() -> None:
        first.charge()
        connections.close_all()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert waiting.wait(20)
    yield Till(service), go
    go.set()
    thread.join(20)


def test_who_finds_the_places_taken_is_told_at_once_and_the_payment_is_not_lost(crowded, provider):
    late, go = crowded

    with pytest.raises(Unavailable, match="1 calls are waiting for the payment provider already") as full:
        late.charge()
    assert full.value.may_have_run is False
    assert late.row.status == "processing"
    assert (late.moved, provider.times("charge")) == ([], 1)

    go.set()
    wait_until(lambda: late.service._provider.waiting._free._value == 1)
    assert late.charge().status == "captured"
    assert late.moved == [("capture", "25.00")]


def test_a_void_that_finds_the_places_taken_is_written_down_and_done_later(crowded, provider):
    late, go = crowded
    with pytest.raises(Unavailable):
        late.charge()
    with pytest.raises(Unavailable):
        late.void()
    assert late.row.intent == "void"

    go.set()
    wait_until(lambda: late.service._provider.waiting._free._value == 1)
    assert late.void().status == "voided"
    assert late.moved == []
    assert provider.charges[late.key].state == "cancelled"
