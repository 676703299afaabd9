"""Customers who count each request that was not answered as it should be, and try nothing twice."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from uuid import uuid4

import urllib3

from tests.shop import Shop

_AT_ONCE = 8
_GOOD = frozenset({200, 201, 202})


class Customers:
    """
    ``rate`` orders a second, by some who keep their connection and by some who take a new one each time. Each looks at
    the order afterwards.

    ``outcomes`` counts answers by what was asked, on what connection, and the status; ``failed`` tells of those that
    were no success; ``placed`` are the orders.
    """

    def __init__(self, shop: Shop, *, rate: float) -> None:
        self._url = shop.run["http"]
        self._token, self._sku = shop.customer(), shop.product(stock=1_000_000)
        self._every = 1.0 / rate
        self._next = time.monotonic()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.outcomes: Counter[tuple[str, str, int]] = Counter()
        self.failed: list[str] = []
        self.placed: list[str] = []
        self.slowest = 0.0

    @contextmanager
    def buying(self) -> Iterator[None]:
        kinds = ((True, False), (False, False), (True, True), (False, True)) * (_AT_ONCE // 4)
        threads = [threading.Thread(target=self._keep_buying, args=kind, daemon=True) for kind in kinds]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive(), "somebody waits for ever"

    def _keep_buying(self, keeps: bool, later: bool) -> None:
        """``keeps``: the connection. ``later``: a worker places the order."""
        # As any client does, it looks whether a kept connection is still there before it writes to it.
        with urllib3.PoolManager(retries=False, timeout=30.0) as kept:
            while not self._over.wait(self._pause()):
                body = {"items": [{"sku": self._sku, "quantity": 1}], "paymentMethod": "pm_card_visa"}
                prefer = {"Prefer": "respond-async"} if later else {}
                order = self._ask(kept if keeps else None, "POST", "/api/orders", body, **prefer)
                if order is not None:
                    self.placed.append(order["id"])
                    self._ask(kept if keeps else None, "GET", f"/api/orders/{order['id']}")

    def _pause(self) -> float:
        with self._lock:
            self._next += self._every
            return max(0.0, self._next - time.monotonic())

    def _ask(self, kept: urllib3.PoolManager | None, method: str, path: str, body: Any = None, **more: str) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **more}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid4())
        how, began = "kept" if kept else "new", time.monotonic()
        try:
            with nullcontext(kept) if kept else urllib3.PoolManager(retries=False, timeout=30.0) as connection:
                answer = connection.request(
                    method, self._url + path, body=json.dumps(body) if body else None, headers=headers
                )
            status, text = answer.status, answer.data
        except urllib3.exceptions.HTTPError as error:
            status, text = 0, repr(error).encode()
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.outcomes[method, how, status] += 1
        if status in _GOOD:
            return json.loads(text)
        at = time.strftime("%X")
        self.failed.append(f"{at} {method} {path} on a {how} connection: {status} {text.decode()[:300]}")
        return None
