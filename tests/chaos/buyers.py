"""
Buyers who never give up: each asks under one key until it is answered, and keeps a journal of what it was told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import urllib3

from tests.shop import Answer, Shop

PATIENCE = 120.0
"""Seconds that a buyer asks again, after connections that broke and answers that something is out of reach."""

KEEP, CANCEL_AT_ONCE, CANCEL_LATER = "keep", "cancel at once", "cancel later"


@dataclass(slots=True)
class Wish:
    """One order as it is wanted; ``then`` is what its buyer does once there is one. Afterwards: what he was told."""

    method: str
    then: str = KEEP
    units: int = 1
    key: str = field(default_factory=lambda: str(uuid4()))
    answers: list[Answer] = field(default_factory=list)
    order_id: str = ""
    broken: int = 0

    @property
    def last(self) -> Answer:
        return self.answers[-1]


class NotAnswered(AssertionError):
    """Whatever happens to processes, somebody has to answer within a while."""


class Buyers:
    """So many at once. ``buy`` has each wish fulfilled, or gives back what went wrong; ``keep_buying`` goes on."""

    def __init__(self, shop: Shop, sku: str, *, at_once: int, later: bool = False) -> None:
        """``later``: workers place the orders; the buyers are answered before, and wait for what becomes of them."""
        self._shop, self._sku = shop, sku
        self._headers = {"Prefer": "respond-async"} if later else {}
        self._tokens = [shop.customer() for _ in range(at_once)]
        self.wishes: list[Wish] = []
        self.failures: list[BaseException] = []
        self._stop = threading.Event()

    def buy(self, wishes: Iterable[Wish]) -> list[Wish]:
        """Until each is answered. Raises what went wrong."""
        before = len(self.wishes)
        self._run(iter(list(wishes)))
        return self.wishes[before:]

    def keep_buying(self, wishes: Iterator[Wish]) -> threading.Thread:
        """In the background, until ``stop``."""
        self._stop.clear()
        thread = threading.Thread(target=self._run, args=(wishes,), daemon=True)
        thread.start()
        return thread

    def stop(self, thread: threading.Thread) -> None:
        """What was begun is brought to its answer. Raises what went wrong."""
        self._stop.set()
        thread.join(2 * PATIENCE)
        assert not thread.is_alive(), "buyers still wait for an answer"
        if self.failures:
            raise self.failures[0]

    def _run(self, wishes: Iterator[Wish]) -> None:
        lock = threading.Lock()

        def work(token: str) -> None:
            while not self._stop.is_set():
                with lock:
                    wish = next(wishes, None)
                if wish is None:
                    return
                try:
                    self._fulfil(wish, token)
                except BaseException as error:
                    self.failures.append(error)
                self.wishes.append(wish)

        threads = [threading.Thread(target=work, args=(token,), daemon=True) for token in self._tokens]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failures and not self._stop.is_set():
            raise self.failures[0]

    def _fulfil(self, wish: Wish, token: str) -> None:
        placed = self.place(wish, token)
        wish.order_id = placed.body.get("id") or placed.body["orderId"]
        if (wish.then == CANCEL_LATER or (self._headers and wish.then == KEEP)) and placed.status == 202:
            self._shop.await_status(wish.order_id, "confirmed", "cancelled", limit=PATIENCE)
        if wish.then != KEEP and placed.status in {201, 202}:
            cancelled = self._ask(wish, "POST", f"/api/orders/{wish.order_id}/cancel", {"reason": "chaos"}, token=token)
            assert cancelled.status == 200, cancelled

    def place(self, wish: Wish, token: str) -> Answer:
        """Ask until there is an order, or a definite no."""
        body = {"items": [{"sku": self._sku, "quantity": wish.units}], "paymentMethod": wish.method}
        return self._ask(wish, "POST", "/api/orders", body, token=token, idempotency_key=wish.key, **self._headers)

    def _ask(self, wish: Wish, verb: str, path: str, body: Any, **headers: str) -> Answer:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                answer = self._shop.send(verb, path, body, **headers)
            except urllib3.exceptions.HTTPError:
                # The process that would have answered is dead, or nobody listens just now.
                wish.broken += 1
            else:
                if answer.status == 401:
                    raise NotAnswered(f"a buyer was signed out: {answer}")
                if answer.status < 500 and answer.body.get("code") != "idempotency_in_progress":
                    wish.answers.append(answer)
                    return answer
                assert answer.status in {409, 502, 503}, answer
            time.sleep(0.2)
        raise NotAnswered(f"{verb} {path} was not answered within {PATIENCE:.0f} s: {wish}")
