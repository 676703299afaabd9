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

from tests.shop import PASSWORD, Answer, Shop

PATIENCE = 120.0
"""Seconds that a buyer asks again, after connections that broke and answers that something is out of reach."""

LONGEST_PENDING = 300.0
"""Seconds that an order may be pending: with hundreds of them in trouble at once, each waits for its turn."""

KEEP, CANCEL_AT_ONCE, CANCEL_LATER = "keep", "cancel at once", "cancel later"


@dataclass(slots=True)
class Wish:
    """One order as it is wanted; ``then`` is what its buyer does once there is one. Afterwards: what he was told."""

    method: str
    then: str = KEEP
    units: int = 1
    key: str = field(default_factory=lambda: str(uuid4()))
    answer: Answer | None = None
    order_id: str = ""
    broken: int = 0


class NotAnswered(AssertionError):
    """Whatever happens to processes, somebody has to answer within a while."""


@dataclass(slots=True)
class Buyer:
    """Signs in again when he is signed out: a token is good for a quarter of an hour."""

    shop: Shop
    email: str = field(default_factory=lambda: f"{uuid4()}@chaos.example")
    token: str = ""

    def __post_init__(self) -> None:
        body = {"email": self.email, "name": "A buyer", "password": PASSWORD}
        made = self.shop.send("POST", "/api/users", body)
        assert made.status == 201, made
        self.token = self.shop.sign_in(self.email)

    def ask(self, wish: Wish, verb: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Until there is an answer that is one. Raises NotAnswered."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                answer = self.shop.send(verb, path, body, token=self.token, **headers)
                if answer.status == 401:
                    self.token = self.shop.sign_in(self.email)
                elif answer.status < 500 and answer.body.get("code") != "idempotency_in_progress":
                    return answer
                else:
                    assert answer.status in {409, 502, 503}, answer
            except urllib3.exceptions.HTTPError:
                # The process that would have answered is dead, or nobody listens just now.
                wish.broken += 1
            time.sleep(0.2)
        raise NotAnswered(f"{verb} {path} was not answered within {PATIENCE:.0f} s: {wish}")


class Buyers:
    """So many at once. ``buy`` has each wish fulfilled, or raises what went wrong; ``keep_buying`` goes on."""

    def __init__(self, shop: Shop, sku: str, *, at_once: int, later: bool = False) -> None:
        """``later``: workers place the orders; the buyers are answered before, and wait for what becomes of them."""
        self._sku, self._later = sku, later
        self._buyers = [Buyer(shop) for _ in range(at_once)]
        self.wishes: list[Wish] = []
        self.failures: list[BaseException] = []
        self._stop = threading.Event()

    def buy(self, wishes: Iterable[Wish]) -> None:
        """Until each is answered. Raises what went wrong."""
        self._run(iter(list(wishes)))
        if self.failures:
            raise self.failures[0]

    def keep_buying(self, wishes: Iterator[Wish]) -> threading.Thread:
        """In the background, until ``stop``."""
        thread = threading.Thread(target=self._run, args=(wishes,), daemon=True)
        thread.start()
        return thread

    def stop(self, thread: threading.Thread) -> None:
        """What was begun is brought to its answer. Raises what went wrong."""
        self._stop.set()
        thread.join(2 * LONGEST_PENDING)
        assert not thread.is_alive(), "buyers still wait for an answer"
        if self.failures:
            raise self.failures[0]

    def _run(self, wishes: Iterator[Wish]) -> None:
        lock = threading.Lock()

        def work(buyer: Buyer) -> None:
            while not self._stop.is_set():
                with lock:
                    wish = next(wishes, None)
                if wish is None:
                    return
                try:
                    self._fulfil(wish, buyer)
                except BaseException as error:
                    self.failures.append(error)
                self.wishes.append(wish)

        threads = [threading.Thread(target=work, args=(buyer,), daemon=True) for buyer in self._buyers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _fulfil(self, wish: Wish, buyer: Buyer) -> None:
        """Ask until there is an order, or a definite no; then do what is wanted of it."""
        body = {"items": [{"sku": self._sku, "quantity": wish.units}], "paymentMethod": wish.method}
        headers = {"Prefer": "respond-async"} if self._later else {}
        placed = buyer.ask(wish, "POST", "/api/orders", body, idempotency_key=wish.key, **headers)
        wish.answer = placed
        wish.order_id = placed.body.get("id") or placed.body["orderId"]
        if placed.status not in {201, 202}:
            return
        if placed.status == 202 and (wish.then == CANCEL_LATER or (self._later and wish.then == KEEP)):
            self._await_end(wish, buyer)
        if wish.then != KEEP:
            cancelled = buyer.ask(wish, "POST", f"/api/orders/{wish.order_id}/cancel", {"reason": "chaos"})
            assert cancelled.status == 200, cancelled

    def _await_end(self, wish: Wish, buyer: Buyer) -> None:
        end = time.monotonic() + LONGEST_PENDING
        while buyer.ask(wish, "GET", f"/api/orders/{wish.order_id}").body["status"] == "pending":
            if time.monotonic() > end:
                raise NotAnswered(f"still pending after {LONGEST_PENDING:.0f} s: {wish}")
            time.sleep(0.2)
