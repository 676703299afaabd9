"""People who ask a shop for things, one after another; every question and answer goes into a transcript."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import urllib3

from tests.shop import OPERATOR, PASSWORD, Shop
from tests.topologies.transcript import Transcript

NOBODY = "nobody"
LONGEST_WAIT = 20.0
"""Seconds for what follows by itself: an event that is heard, a payment that settles, an order that is resumed."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was answered. ``body`` is None where it is no JSON."""

    status: int
    body: Any
    headers: Any


class Player:
    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.transcript = Transcript()
        self.anonymous = 1
        """Questions by nobody: the operator's sign-in, when the shop was started, was the first."""
        self._tokens = {NOBODY: "", "operator": shop.operator}
        self._http = urllib3.PoolManager(retries=False, timeout=30.0)

    # --- Asking -----------------------------------------------------------------------------------------------------

    def ask(
        self,
        who: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        raw: bytes | None = None,
        **headers: str,
    ) -> Said:
        """One question, written down with its answer. Headers are named with _ for -."""
        sent = {"Content-Type": "application/json"} if raw is not None or body is not None else {}
        sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        if key:
            sent["Idempotency-Key"] = key
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        self.transcript.question(who, method, path, sent, data)
        answer, plain = self._send(who, method, path, data, sent)
        self.transcript.answer(answer.status, answer.headers, answer.data)
        return Said(answer.status, plain, answer.headers)

    def until(self, who: str, path: str, holds: Callable[[Any], Any]) -> Said:
        """Look until it holds, and write the last look down. That it did not come to hold is seen there."""
        end = time.monotonic() + LONGEST_WAIT
        while True:
            answer, plain = self._send(who, "GET", path, None, {})
            try:
                done = bool(holds(plain))
            except (KeyError, IndexError, TypeError):
                done = False
            if done or time.monotonic() > end:
                break
            time.sleep(0.1)
        self.transcript.question(f"{who}, until it is so", "GET", path, {}, None)
        self.transcript.answer(answer.status, answer.headers, answer.data)
        return Said(answer.status, plain, answer.headers)

    def _send(self, who: str, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[Any, Any]:
        token = self._tokens[who]
        sent = {**headers, "Authorization": f"Bearer {token}"} if token else headers
        self.anonymous += not token
        answer = self._http.request(method, self.shop.run["http"] + path, body=data, headers=sent)
        is_json = "json" in answer.headers.get("Content-Type", "") and answer.data
        return answer, json.loads(answer.data) if is_json else None

    # --- What all scenes need ---------------------------------------------------------------------------------------

    def email(self, who: str) -> str:
        return OPERATOR if who == "operator" else f"{who}@journeys.example"

    def register(self, who: str) -> Said:
        body = {"email": self.email(who), "name": who.title(), "password": PASSWORD}
        return self.ask(NOBODY, "POST", "/api/users", body)

    def sign_in(self, who: str) -> Said:
        """From here on their questions carry this token."""
        said = self.ask(NOBODY, "POST", "/api/users/token", {"email": self.email(who), "password": PASSWORD})
        self._tokens[who] = said.body["access"]
        return said

    def bearing(self, name: str, token: str) -> str:
        """Somebody by this name, with this token."""
        self._tokens[name] = token
        return name

    def token_of(self, who: str) -> str:
        return self._tokens[who]

    def place(self, who: str, *lines: tuple[str, int], method: str = "pm_card_visa", key: str, **more: Any) -> Said:
        headers = {name: more.pop(name) for name in ("prefer", "traceparent") if name in more}
        items = [{"sku": sku, "quantity": units} for sku, units in lines]
        body = {"items": items, "paymentMethod": method, **more}
        return self.ask(who, "POST", "/api/orders", body, key=key, **headers)

    def payment_of(self, order_id: str, *, who: str = "operator") -> Any:
        return self.ask(who, "GET", f"/api/payments?orderId={order_id}").body["items"][0]

    def stock(self, sku: str, **expected: int) -> None:
        """The balances, once they are as expected."""
        path = f"/api/inventory/products/{sku}/stock"
        self.until("operator", path, lambda body: expected.items() <= body.items())
