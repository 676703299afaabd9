"""Real orders over HTTP, each with the outcome that it has to have."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

NOTHING = "-"
_ASK_EVERY = 0.2
_ENOUGH_STOCK = 50


class DemonstrationFailed(Exception):
    """The demonstration could not even begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]

    def in_words(self) -> str:
        """The status, with the code of a problem or the word that it is a repeated answer."""
        replayed = "replayed" if self.headers.get("idempotency-replayed") == "true" else ""
        return f"{self.status} {self.body.get('code') or replayed}".strip()


class Client:
    """One person's way into the shop."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._token: str | None = None

    def ask(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Answer:
        """Raises OSError or HTTPException when nobody answers."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if key:
            headers["Idempotency-Key"] = key
        connection = HTTPConnection(self._host, self._port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(status=answer.status, headers=named, body=json.loads(text) if text else {})
        finally:
            connection.close()

    def demand(self, method: str, path: str, body: object = None, *, key: str | None = None) -> dict[str, Any]:
        """An answer that has to be a success. Raises DemonstrationFailed."""
        try:
            answer = self.ask(method, path, body, key=key)
        except (OSError, HTTPException, ValueError) as error:
            raise DemonstrationFailed(f"{method} {path} was not answered: {error!r}.") from error
        if answer.status >= 300:
            raise DemonstrationFailed(f"{method} {path} was answered {answer.status}: {json.dumps(answer.body)}")
        return answer.body

    def sign_in(self, email: str, password: str) -> None:
        self._token = self.demand("POST", "/api/users/token", {"email": email, "password": password})["access"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    http: str
    order: str
    payment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was tried, what came of it, and what should have."""

    tried: str
    http: str
    order: str
    payment: str
    expected: Expected

    @property
    def is_expected(self) -> bool:
        return Expected(http=self.http, order=self.order, payment=self.payment) == self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """
    One thing to try. ``act`` does it and answers with what was said in the order's and all answers' words.

    The order has to reach its end within ``patience`` seconds. A trial that takes its time is ``slow``: it is begun
    first, so that the others happen meanwhile.
    """

    tried: str
    act: Callable[[], tuple[str, list[str]]]
    expected: Expected
    patience: float = 10.0
    slow: bool = False


class Demonstration:
    """A new customer's visit to a running shop. Raises DemonstrationFailed when it cannot begin."""

    def __init__(self, url: str, *, operator_email: str, operator_password: str) -> None:
        self._customer = Client(url)
        self._operator = Client(url)
        self._operator.sign_in(operator_email, operator_password)
        email, password = f"demo-{uuid4().hex[:12]}@example.com", secrets.token_urlsafe(16)
        self._customer.demand("POST", "/api/users", {"email": email, "name": "Demo Customer", "password": password})
        self._customer.sign_in(email, password)
        self._sku, self._available = self._find_something_to_buy()

    def run(self, *, doing: Callable[[str], None], stop_if_told: Callable[[], None]) -> list[Outcome]:
        """Try everything. ``doing`` is told what happens now."""
        trials = self._trials()
        begun: dict[str, tuple[float, str, list[str]]] = {}
        for trial in sorted(trials, key=lambda trial: not trial.slow):
            stop_if_told()
            doing(f"Trying: {trial.tried}")
            begun[trial.tried] = (time.monotonic(), *self._begin(trial))
        outcomes = []
        for trial in trials:
            since, order_id, answers = begun[trial.tried]
            doing(f"Waiting for: {trial.tried}")
            order, payment = self._end(trial, order_id, since=since, stop_if_told=stop_if_told)
            http = ", ".join(answers)
            outcomes.append(
                Outcome(tried=trial.tried, http=http, order=order, payment=payment, expected=trial.expected)
            )
        return outcomes

    # --- What is tried ----------------------------------------------------------------------------------------------

    def _trials(self) -> Sequence[Trial]:
        def trial(tried: str, act: Callable[[], tuple[str, list[str]]], *words: str, **more: Any) -> Trial:
            http, order, payment = words
            return Trial(tried=tried, act=act, expected=Expected(http=http, order=order, payment=payment), **more)

        pay = self._pay_with
        return (
            trial("A good card", pay("pm_card_visa"), "201", "confirmed", "captured"),
            trial("A declined card", pay("pm_card_declined"), "402 payment_declined", "cancelled", "failed"),
            trial(
                "A card without funds",
                pay("pm_card_insufficient_funds"),
                "402 insufficient_funds",
                "cancelled",
                "failed",
            ),
            trial("More than is in stock", self._too_many, "409 out_of_stock", "cancelled", NOTHING),
            trial("Placed, then cancelled", self._cancelled, "201, 200", "cancelled", "refunded", patience=30.0),
            trial("The same request twice", self._twice, "201, 201 replayed", "confirmed", "captured"),
            trial("A late settlement", pay("pm_card_async"), "202", "confirmed", "captured", slow=True),
            trial(
                "A provider gone silent",
                pay("pm_card_timeout"),
                "202",
                "confirmed",
                "captured",
                patience=30.0,
                slow=True,
            ),
            trial("Shipped and delivered", self._delivered, "201, 200, 200", "delivered", "captured"),
        )

    def _place(self, method: str = "pm_card_visa", *, quantity: int = 1, key: str | None = None) -> Answer:
        body = {"items": [{"sku": self._sku, "quantity": quantity}], "paymentMethod": method}
        return self._customer.ask("POST", "/api/orders", body, key=key or str(uuid4()))

    def _pay_with(self, method: str) -> Callable[[], tuple[str, list[str]]]:
        def act() -> tuple[str, list[str]]:
            answer = self._place(method)
            return _order_in(answer), [answer.in_words()]

        return act

    def _too_many(self) -> tuple[str, list[str]]:
        answer = self._place(quantity=self._available + 1)
        return _order_in(answer), [answer.in_words()]

    def _cancelled(self) -> tuple[str, list[str]]:
        placed = self._place()
        order_id = _order_in(placed)
        cancelled = self._customer.ask("POST", f"/api/orders/{order_id}/cancel", {"reason": "I changed my mind"})
        return order_id, [placed.in_words(), cancelled.in_words()]

    def _twice(self) -> tuple[str, list[str]]:
        key = str(uuid4())
        first, second = self._place(key=key), self._place(key=key)
        same = _order_in(first) == _order_in(second)
        return _order_in(first), [first.in_words(), second.in_words() if same else "another order"]

    def _delivered(self) -> tuple[str, list[str]]:
        placed = self._place()
        order_id = _order_in(placed)
        parcel = {"carrier": "Royal Mail", "trackingNumber": f"DEMO{uuid4().hex[:10].upper()}"}
        shipped = self._operator.ask("POST", f"/api/orders/{order_id}/ship", parcel)
        delivered = self._operator.ask("POST", f"/api/orders/{order_id}/deliver")
        return order_id, [answer.in_words() for answer in (placed, shipped, delivered)]

    # --- How ---------------------------------------------------------------------------------------------------------

    def _find_something_to_buy(self) -> tuple[str, int]:
        """A product and how many of it are available; restocked by the operator when all are running out."""
        products = [each for each in self._customer.demand("GET", "/api/inventory/products")["items"] if each["active"]]
        if not products:
            raise DemonstrationFailed("The catalogue is empty: run `manage.py seed`.")
        for product in products[:10]:
            if (available := self._stock_of(product["sku"])) >= _ENOUGH_STOCK:
                return product["sku"], available
        sku = products[0]["sku"]
        restock = {"quantity": 2 * _ENOUGH_STOCK, "reason": "For the demonstration"}
        self._operator.demand("POST", f"/api/inventory/products/{sku}/restock", restock, key=str(uuid4()))
        return sku, self._stock_of(sku)

    def _stock_of(self, sku: str) -> int:
        return int(self._customer.demand("GET", f"/api/inventory/products/{sku}/stock")["available"])

    @staticmethod
    def _begin(trial: Trial) -> tuple[str, list[str]]:
        try:
            return trial.act()
        except (OSError, HTTPException, ValueError) as error:
            return NOTHING, [f"no answer ({error!r})"]

    def _end(self, trial: Trial, order_id: str, *, since: float, stop_if_told: Callable[[], None]) -> tuple[str, str]:
        """The order's and the payment's status as expected, or what they are when patience has run out."""
        if order_id == NOTHING:
            return NOTHING, NOTHING
        while True:
            stop_if_told()
            order = self._customer.demand("GET", f"/api/orders/{order_id}")["status"]
            payments = self._customer.demand("GET", f"/api/payments?orderId={order_id}")["items"]
            payment = ", ".join(each["status"] for each in payments) or NOTHING
            as_expected = (order, payment) == (trial.expected.order, trial.expected.payment)
            if as_expected or time.monotonic() > since + trial.patience:
                return order, payment
            time.sleep(_ASK_EVERY)


def _order_in(answer: Answer) -> str:
    """The order that an answer is about, also a refused one."""
    return str(answer.body.get("id") or answer.body.get("orderId") or NOTHING)
