"""What orders' web server says of its own neighbours and threads, looked at again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.parser import text_string_to_metric_families

from tests.neighbours.town import Town

_STATES = {0: "closed", 1: "half open", 2: "open"}
_EVERY = 0.2


class Watch:
    """
    ``states`` are those in which the neighbour was seen, each time that it changed; ``busiest`` is how many threads of
    one process were busy at most; ``slowest`` how many seconds it took to be told.
    """

    def __init__(self, town: Town, callee: str) -> None:
        self._town, self._callee = town, callee
        self.states: list[str] = []
        self.busiest = 0
        self.slowest = 0.0

    @contextmanager
    def looking(self) -> Iterator[None]:
        over = threading.Event()

        def look() -> None:
            while not over.wait(_EVERY):
                self.look()

        self.look()
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(20)

    def look(self) -> None:
        began = time.monotonic()
        told = self._town.figures("orders")
        self.slowest = max(self.slowest, time.monotonic() - began)
        samples = [sample for family in text_string_to_metric_families(told) for sample in family.samples]
        # The worker and the relay of the group are among them, and each has breakers of its own.
        busy = {each.labels["pid"]: int(each.value) for each in samples if each.name == "http_server_active_requests"}
        self.busiest = max([self.busiest, *busy.values()])
        for sample in samples:
            of_callee = sample.name == "mitosis_breaker_state" and sample.labels["callee"] == self._callee
            if of_callee and sample.labels["pid"] in busy:
                self._saw(_STATES[int(sample.value)])

    def _saw(self, state: str) -> None:
        if self.states[-1:] != [state]:
            self.states.append(state)

    @property
    def is_closed(self) -> bool:
        return self.states[-1:] == ["closed"]
