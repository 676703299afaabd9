"""A web process whose neighbour stalls goes on answering everything that does not need it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import urllib3

from runtime.identity.tokens import issue
from tests.runtime.calls.neighbours import Neighbour
from tests.runtime.calls.processes import Process
from tests.together import wait_until


class Stalled:
    """Takes each question and says nothing; goes away when it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.neighbour = Neighbour(self._behave)

    @property
    def asked(self) -> int:
        """So many calls: values that change are asked for as well, by threads of their own."""
        return sum(b" /internal/contracts/" in request for _, request in self.neighbour.requests)

    def _behave(self, connection: socket.socket) -> bool:
        self.go.wait(60)
        return False


@pytest.fixture
def stalled() -> Iterator[Stalled]:
    stalled = Stalled()
    yield stalled
    stalled.go.set()
    stalled.neighbour.close()


@pytest.fixture
def orders(tmp_path, stalled, committed) -> Iterator[Process]:
    """Orders alone, with four threads."""
    elsewhere = dict.fromkeys(("USERS_URL", "INVENTORY_URL", "PAYMENTS_URL"), stalled.neighbour.url)
    settings = "tests.runtime.calls.patient_settings"
    process = Process(
        tmp_path, DOMAINS="orders", WEB_THREADS="4", ORDER_BUDGET="60s", DJANGO_SETTINGS_MODULE=settings, **elsewhere
    )
    yield process
    process.kill()


def place(process: Process) -> tuple[int, str]:
    """Status and code of an order."""
    answer = urllib3.request(
        "POST",
        f"http://127.0.0.1:{process.public}/api/orders",
        json={"items": [{"sku": "A", "quantity": 1}], "paymentMethod": "pm_card_visa"},
        headers={
            "Authorization": f"Bearer {issue(user_id=uuid4(), roles=['customer'])}",
            "Idempotency-Key": str(uuid4()),
        },
        retries=False,
        timeout=60.0,
    )
    return answer.status, answer.json()["code"]


def test_half_of_the_threads_wait_for_a_stalled_neighbour_and_the_others_answer(orders, stalled):
    with ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(place, orders) for _ in range(12)]
        # All but the two that wait are told at once.
        wait_until(lambda: sum(each.done() for each in waiting) == 10)
        assert stalled.asked == 2
        health = urllib3.request("GET", f"http://127.0.0.1:{orders.public}/health/live", retries=False, timeout=60.0)
        assert sum(each.done() for each in waiting) == 10
        stalled.go.set()
        answers = [each.result(60) for each in waiting]

    assert health.status == 200
    assert set(answers) == {(503, "inventory_unavailable")}
    assert stalled.asked == 2
