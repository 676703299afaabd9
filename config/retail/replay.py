"""
Places each invoice of a history as one order over HTTP, and keeps account of every one.

What was answered is written to a journal before it counts, so a replay that is killed goes on where it stopped; and
each order's Idempotency-Key is its invoice's number, so what was placed without our knowing is placed once.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import urllib3

from config.retail.history import Invoice, customer_id

GIVE_UP_AFTER = 120.0
"""Seconds without an answer, or without an end, after which an invoice is left for the next run."""

PLACED, BEFORE = "placed", "placed before"


class CannotSignIn(Exception):
    """The operator's e-mail and password are not accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of an invoice: placed, placed before, or the reason why not. ``total`` is what the shop booked."""

    invoice: str
    outcome: str
    rows: int
    total: Decimal


class Journal:
    """One line of JSON for each invoice that was placed, flushed before it counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self.placed: dict[str, Decimal] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self._take(line)
        self._file = path.open("a", encoding="utf-8")

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
            self.placed[entry["invoice"]] = Decimal(entry["total"])
        except (ValueError, KeyError, TypeError, ArithmeticError):
            return  # the last line of a run that was killed while it wrote

    def write(self, invoice: str, total: Decimal) -> None:
        with self._lock:
            self.placed[invoice] = total
            # A new line first: a line that was cut off must not swallow this one.
            self._file.write("\n" + json.dumps({"invoice": invoice, "total": str(total)}))
            self._file.flush()

    def close(self) -> None:
        self._file.close()


class Shop:
    """The shop's HTTP API, as an operator. Signs in again when the token has run out."""

    def __init__(self, url: str, *, email: str, password: str, connections: int) -> None:
        self._url = url.rstrip("/")
        self._login = {"email": email, "password": password}
        self._http = urllib3.PoolManager(maxsize=connections, block=True, retries=False, timeout=30.0)
        self._lock = threading.Lock()
        self._token = ""

    def sign_in(self) -> None:
        """Raises CannotSignIn."""
        status, body = self._send("POST", "/api/users/token", self._login, {})
        if status != 200:
            raise CannotSignIn(f"{self._login['email']}: {status} {body.get('detail', '')}")
        self._token = body["access"]

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any], bool]:
        """Status, body, and whether it was a repeated answer. Raises urllib3's errors where there is no answer."""
        token = self._token
        status, answer = self._send(method, path, body, {"Authorization": f"Bearer {token}", **headers})
        if status == 401:
            with self._lock:
                if self._token == token:
                    self.sign_in()
            status, answer = self._send(method, path, body, {"Authorization": f"Bearer {self._token}", **headers})
        return status, answer, bool(answer.pop("__replayed", False))

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        data = None if body is None else json.dumps(body).encode()
        answer = self._http.request(
            method, self._url + path, body=data, headers={"Content-Type": "application/json", **headers}
        )
        try:
            content = json.loads(answer.data or b"{}")
        except ValueError:
            content = {"code": f"http_{answer.status}"}
        if answer.headers.get("Idempotency-Replayed") == "true":
            content["__replayed"] = True
        return answer.status, content


@dataclass(slots=True, kw_only=True)
class Replay:
    """``speed``: so many times as fast as it happened; None: as fast as it goes."""

    shop: Shop
    journal: Journal
    currency: str
    concurrency: int
    speed: float | None
    done: Callable[[Result], None]
    results: list[Result] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, invoices: Iterable[Invoice]) -> None:
        pending = list(invoices)
        start, first = time.monotonic(), pending[0].at if pending else None
        with ThreadPoolExecutor(max_workers=self.concurrency) as pool:
            slots = threading.Semaphore(self.concurrency)
            for invoice in pending:
                if self.speed is not None and first is not None:
                    due = start + (invoice.at - first).total_seconds() / self.speed
                    threading.Event().wait(max(0.0, due - time.monotonic()))
                slots.acquire()
                pool.submit(self._one, invoice).add_done_callback(lambda _: slots.release())

    def _one(self, invoice: Invoice) -> None:
        try:
            result = place(self.shop, invoice, currency=self.currency)
        except Exception as error:  # one invoice that fails in a new way must not stop the others
            result = Result(
                invoice=invoice.number, outcome=type(error).__name__, rows=len(invoice.rows), total=Decimal(0)
            )
        if result.outcome in (PLACED, BEFORE):
            self.journal.write(invoice.number, result.total)
        with self._lock:
            self.results.append(result)
            self.done(result)


def place(shop: Shop, invoice: Invoice, *, currency: str) -> Result:
    """Place one invoice, and wait until it is known how it ended."""
    give_up = time.monotonic() + GIVE_UP_AFTER
    wait, replayed = 0.2, False
    while True:
        try:
            status, answer, replayed = shop.send(
                "POST", "/api/orders", order_of(invoice, currency), **{"Idempotency-Key": f"retail-{invoice.number}"}
            )
        except urllib3.exceptions.HTTPError:
            status, answer = 503, {"code": "unreachable"}
        if status == 201:
            outcome = BEFORE if replayed else PLACED
            total = Decimal(answer["totalAmount"]["amount"])
            return Result(invoice=invoice.number, outcome=outcome, rows=len(invoice.rows), total=total)
        again = status in (202, 429) or status >= 500 or answer.get("code") == "idempotency_in_progress"
        if not again or time.monotonic() > give_up:
            code = str(answer.get("code") or answer.get("status"))
            return Result(invoice=invoice.number, outcome=code, rows=len(invoice.rows), total=Decimal(0))
        threading.Event().wait(wait)
        wait = min(2.0, wait * 2)


def order_of(invoice: Invoice, currency: str) -> dict[str, Any]:
    return {
        "onBehalfOf": str(customer_id(invoice.customer)),
        "paymentMethod": "pm_card_visa",
        "items": [
            {
                "sku": row.sku,
                "quantity": row.quantity,
                "unitPrice": {"amount": f"{row.unit_price:.2f}", "currency": currency},
            }
            for row in invoice.rows
        ],
    }


def summary(results: Iterable[Result]) -> dict[str, tuple[int, int, Decimal]]:
    """By outcome: rows, invoices, sum."""
    rows: Counter[str] = Counter()
    invoices: Counter[str] = Counter()
    sums: dict[str, Decimal] = {}
    for result in results:
        rows[result.outcome] += result.rows
        invoices[result.outcome] += 1
        sums[result.outcome] = sums.get(result.outcome, Decimal(0)) + result.total
    return {outcome: (rows[outcome], invoices[outcome], sums[outcome]) for outcome in invoices}
