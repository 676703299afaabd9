"""People in the shop, so many in each second whatever the shop does, and what became of each of their visits."""

from __future__ import annotations

import math
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import urllib3

from tests.shop import OPERATOR, PASSWORD, Answer, Shop

RATES = {"browse": 8.0, "sign in": 2.0, "read orders": 8.0, "place": 3.0}
"""Visits in each second."""
_AT_ONCE = {"browse": 6, "sign in": 6, "read orders": 6, "place": 24}
"""So many threads, which is more than ever wait."""
_DECLINED = 402
_METHODS = (*("pm_card_visa",) * 4, "pm_card_declined")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """``phase``: what went on when it began, in which round. ``status`` is 0 where there was no answer at all."""

    kind: str
    phase: str
    round: int
    seconds: float
    status: int
    code: str = ""

    @property
    def went_well(self) -> bool:
        return 200 <= self.status < 300 or self.status == _DECLINED


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One order that was asked for, once, and the answer."""

    phase: str
    method: str
    key: str
    answer: Answer | None

    @property
    def order_id(self) -> str | None:
        body = self.answer.body if self.answer else {}
        return body.get("id") or body.get("orderId")

    @property
    def said(self) -> str:
        """The status, and the code of a problem."""
        if self.answer is None:
            return "no answer"
        return f"{self.answer.status} {self.answer.body.get('code', '')}".strip()


class Visitors:
    """
    ``phase`` and ``round`` are what the visits that begin from now on are put down to. ``share`` of RATES come.
    """

    def __init__(self, shop: Shop, *, share: float, people: int = 8) -> None:
        self._shop, self._share = shop, share
        shop.operator = shop.sign_in(OPERATOR)
        self._dice = random.Random(1)  # the same visits in every run
        self._emails = [f"{uuid4()}@neighbours.example" for _ in range(people)]
        self._tokens = [self._join(email) for email in self._emails]
        self.sku = shop.product(stock=1_000_000)
        self.first_orders = [str(shop.place(token, {self.sku: 1}).body["id"]) for token in self._tokens]
        self.phase, self.round = "quiet", 1
        self.visits: list[Visit] = []
        self.purchases: list[Purchase] = []

    def _join(self, email: str) -> str:
        user = {"email": email, "name": "A neighbour", "password": PASSWORD}
        assert self._shop.send("POST", "/api/users", user).status == 201
        return self._shop.sign_in(email)

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Until the end of the block; who is inside then is waited for."""
        over = threading.Event()
        threads = [
            threading.Thread(target=self._keep_coming, args=(pace, visit, over), daemon=True)
            for kind, visit in self._kinds().items()
            for pace in [_Pace(RATES[kind] * self._share)]
            for _ in range(_AT_ONCE[kind])
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive(), "somebody waits for ever"

    def _kinds(self) -> dict[str, Callable[[], None]]:
        return {
            "browse": self._browse,
            "sign in": self._sign_in,
            "read orders": self._read_orders,
            "place": self._place,
        }

    def _keep_coming(self, pace: _Pace, visit: Callable[[], None], over: threading.Event) -> None:
        while not over.wait(pace.next()):
            visit()

    # --- Visits -----------------------------------------------------------------------------------------------------

    def _browse(self) -> None:
        path = self._dice.choice(("?limit=20", f"/{self.sku}"))
        self._go("browse", "GET", f"/api/inventory/products{path}")

    def _sign_in(self) -> None:
        self._go(
            "sign in", "POST", "/api/users/token", {"email": self._dice.choice(self._emails), "password": PASSWORD}
        )

    def _read_orders(self) -> None:
        who = self._dice.randrange(len(self._tokens))
        path = self._dice.choice(("", f"/{self.first_orders[who]}"))
        self._go("read orders", "GET", f"/api/orders{path}", token=self._tokens[who])

    def _place(self) -> None:
        phase, method, key = self.phase, self._dice.choice(_METHODS), str(uuid4())
        body = {"items": [{"sku": self.sku, "quantity": 1}], "paymentMethod": method}
        token = self._dice.choice(self._tokens)
        answer = self._go("place", "POST", "/api/orders", body, token=token, idempotency_key=key)
        self.purchases.append(Purchase(phase=phase, method=method, key=key, answer=answer))

    def _go(self, kind: str, *request: Any, **more: str) -> Answer | None:
        phase, number, began = self.phase, self.round, time.monotonic()
        answer: Answer | None = None
        try:
            answer = self._shop.send(*request, **more)
            status, code = answer.status, answer.body.get("code", "") if isinstance(answer.body, dict) else ""
        except urllib3.exceptions.HTTPError as error:
            status, code = 0, type(error).__name__
        seconds = time.monotonic() - began
        self.visits.append(Visit(kind=kind, phase=phase, round=number, seconds=seconds, status=status, code=code))
        return answer

    # --- What became of them ----------------------------------------------------------------------------------------

    def of(self, kind: str, phase: str) -> list[Visit]:
        return [visit for visit in self.visits if (visit.kind, visit.phase) == (kind, phase)]

    def answers(self, phase: str) -> Counter[str]:
        """Of those who bought something."""
        return Counter(each.said for each in self.purchases if each.phase == phase)


class _Pace:
    """When the next one comes in, for several threads."""

    def __init__(self, rate: float) -> None:
        self._every = 1.0 / rate
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def next(self) -> float:
        """Seconds until then."""
        with self._lock:
            self._next += self._every
            return max(0.0, self._next - time.monotonic())


def percentile(visits: list[Visit], share: float) -> float:
    """Seconds: so many of the visits took no longer (nearest rank). 0 where there were none."""
    times = sorted(visit.seconds for visit in visits)
    return times[max(0, math.ceil(share * len(times)) - 1)] if times else 0.0


def median_p99(visits: list[Visit]) -> float:
    """The rounds' median of what all but one in a hundred took no longer than."""
    rounds = {visit.round for visit in visits}
    each = [percentile([visit for visit in visits if visit.round == number], 0.99) for number in rounds]
    return statistics.median(each) if each else 0.0
