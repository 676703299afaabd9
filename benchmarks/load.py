"""
Places orders over HTTP, in a process of its own: `python -m benchmarks.load`, told what to do on standard input.

The first line is the task; after the warm-up it says ready, waits for another line, and then goes. Its CPU is counted
nowhere.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from itertools import islice
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

TELL_EVERY = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """
    ``carts``: the skus of one order each, taken in turn. ``warm_up`` orders go before the ``orders`` that count.

    ``traced``: which part of the orders asks for its trace to be recorded, while the others ask for it not to be; where
    it is not given, nothing is asked.
    """

    url: str
    token: str
    carts: Sequence[Sequence[str]]
    concurrency: int
    warm_up: int
    orders: int
    traced: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``seconds`` from the first request to the last answer; ``latencies`` in seconds; how often each status came."""

    seconds: float
    latencies: list[float]
    statuses: dict[str, int]


class Clients:
    """So many at once, each with one connection that is kept."""

    def __init__(self, task: Task) -> None:
        self._task = task
        parts = urlsplit(task.url)
        address = parts.hostname or "", parts.port or 80
        self._connections = [HTTPConnection(*address, timeout=60) for _ in range(task.concurrency)]
        self._placed = 0

    def place(self, orders: int, *, tell: Callable[[int], None] = lambda done: None) -> Outcome:
        """All of them, shared out as the clients get through."""
        numbers = iter(range(self._placed, self._placed + orders))
        self._placed += orders
        lock = threading.Lock()
        done: list[tuple[float, float, int]] = []

        def work(connection: HTTPConnection) -> None:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                since = time.perf_counter()
                status = self._place_one(connection, number)
                done.append((since, time.perf_counter(), status))

        threads = [threading.Thread(target=work, args=(each,)) for each in self._connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(TELL_EVERY)
                tell(len(done))
        return _outcome(done)

    def _place_one(self, connection: HTTPConnection, number: int) -> int:
        """The status. A connection that the server closed meanwhile is opened again: the key makes that harmless."""
        skus = self._task.carts[number % len(self._task.carts)]
        items = [{"sku": sku, "quantity": 1} for sku in skus]
        body = json.dumps({"items": items, "paymentMethod": "pm_card_visa"}).encode()
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._task.token}",
            "Idempotency-Key": str(uuid4()),
            **_traceparent(number, self._task.traced),
        }
        for last in (False, True):
            try:
                connection.request("POST", "/api/orders", body, headers)
                answer = connection.getresponse()
                answer.read()
                return answer.status
            except (OSError, HTTPException):
                connection.close()
                if last:
                    raise
        raise AssertionError("unreachable: the last try returned or raised")


def _traceparent(number: int, traced: float | None) -> dict[str, str]:
    """As evenly as can be: of 0.1, each tenth."""
    if traced is None:
        return {}
    wanted = int((number + 1) * traced) > int(number * traced)
    return {"traceparent": f"00-{uuid4().hex}-{uuid4().hex[:16]}-{'01' if wanted else '00'}"}


def _outcome(done: Sequence[tuple[float, float, int]]) -> Outcome:
    """Of the moments at which each order was sent and answered, with its status."""
    first, last = min(sent for sent, _, _ in done), max(answered for _, answered, _ in done)
    return Outcome(
        seconds=last - first,
        latencies=[answered - sent for sent, answered, _ in done],
        statuses=dict(Counter(str(status) for _, _, status in done)),
    )


def carts_of(skus: Sequence[str], *, lines: int) -> list[list[str]]:
    """The first ``lines`` skus, the next ones and so on: two carts share either all of their skus or none."""
    remaining = iter(skus)
    return list(iter(lambda: list(islice(remaining, lines)), []))


def main() -> None:
    task = Task(**json.loads(sys.stdin.readline()))
    clients = Clients(task)
    clients.place(task.warm_up)
    say({"ready": True})
    sys.stdin.readline()
    outcome = clients.place(task.orders, tell=lambda done: say({"done": done}))
    say(asdict(outcome))


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
