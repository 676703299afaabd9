"""Payments over the real adapter, beside the provider's journal; and the ear that hears its webhooks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.db import connections

from apps.payments.gateways import BadWebhook
from apps.payments.service import Payments
from config.verification import Books, Finding, ledger_balances, paid_once, refunds_within_captures
from contracts._base import Money
from contracts.orders import OrderAudit
from contracts.payments import ProviderEntry
from tests.payments.till import Till, pounds
from tests.provider.fixture import RunningProvider
from tests.together import wait_until


class Counter(Till):
    """A till, and what the provider's journal says of it."""

    def __init__(self, service: Payments, provider: RunningProvider) -> None:
        super().__init__(service)
        self.provider = provider

    @property
    def net(self) -> Decimal:
        return self.provider.journal().net(self.key)

    @property
    def their_captures(self) -> int:
        return self.provider.journal().captures[self.key].count

    @property
    def their_refunds(self) -> int:
        return self.provider.journal().refunds[self.key].count

    def questions(self) -> list[str]:
        """The last words of what was asked under our key or about their reference, in order."""
        asked = self.provider.asked(self.key, self.row.reference)
        return [f"{one['verb']} {one['path'].rpartition('/')[2]}" for one in asked]

    def charge_until_known(self, method: str, **more: Any) -> Any:
        """As the order's saga does: charge, and inquire until somebody knows. May raise what the charge raises."""
        found = [self.charge(method, **more)]

        def known() -> bool:
            if found[0].status in {"unknown", "pending"}:
                found[0] = self.inquire()
            return found[0].status not in {"unknown", "pending"}

        wait_until(known)
        return found[0]

    def void_until_done(self) -> Any:
        """As the order's saga does, with the timer for refunds beside it."""
        found: list[Any] = []

        def done() -> bool:
            found[:] = [self.void()]
            return found[0].status in {"voided", "refunded", "failed"}

        wait_until(done)
        return found[0]

    def entries(self) -> list[ProviderEntry]:
        """What the provider lists under our keys, all pages of it."""
        found, after = [], None
        while True:
            page = self.service.provider_entries(after=after, limit=100)
            found += [entry for entry in page.items if str(self.order_id) in entry.key]
            if (after := page.next) is None:
                return found

    def findings(self, status: str) -> list[Finding]:
        """V1, V3 and V8 on this order, long after it ended."""
        (row,) = [row for row in self.service.audit(after=None, limit=500).items if row.order_id == self.order_id]
        later = datetime.now(UTC) + timedelta(hours=1)
        order = OrderAudit(
            order_id=self.order_id,
            status=status,
            total=pounds("25.00"),
            refunded=Money.zero("GBP"),
            gapless=True,
            folded=True,
            settled=True,
            keys=1,
            updated_at=row.updated_at,
        )
        books = Books(
            orders={order.order_id: order},
            payments={order.order_id: [row]},
            stock=[],
            entries=self.entries(),
            now=later,
        )
        return [check(books) for check in (paid_once, refunds_within_captures, ledger_balances)]

    def require_agreement(self, status: str) -> None:
        """Our books and the provider's journal, movement by movement, and the guarantees on both."""
        journal = self.provider.journal()
        ours = {kind: [Decimal(amount) for k, amount in self.moved if k == kind] for kind in ("capture", "refund")}
        captures, refunds = journal.captures[self.key], journal.refunds[self.key]
        assert (sum(ours["capture"]), len(ours["capture"])) == (captures.amount, captures.count)
        assert (sum(ours["refund"]), len(ours["refund"])) == (refunds.amount, refunds.count)
        assert [case for finding in self.findings(status) for case in finding.broken] == []


class Ear:
    """An HTTP server that hands on what it hears of the counters that listen, and is deaf to the rest."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, int]] = []
        self._counters: list[Counter] = []
        self._busy = 0
        self._lock = threading.Lock()
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(ear.hear(body, dict(self.headers.items())))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: Any) -> None:
                """Nothing is to be said."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/payments/webhooks/stripe"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def hear(self, body: bytes, headers: dict[str, str]) -> int:
        event = json.loads(body)
        key = event["data"]["object"].get("metadata", {}).get("key", "")
        with self._lock:
            counter = next((one for one in self._counters if str(one.order_id) in key), None)
            self._busy += counter is not None
        if counter is None:
            return 204
        try:
            counter.service.webhook(provider="stripe", body=body, headers=headers)
            status = 204
        except BadWebhook:
            status = 400
        finally:
            connections.close_all()
            with self._lock:
                self._busy -= 1
        self.heard.append((key, event["type"], status))
        return status

    @contextmanager
    def listening(self, *counters: Counter) -> Iterator[None]:
        self._counters += counters
        try:
            yield
        finally:
            with self._lock:
                self._counters = [one for one in self._counters if one not in counters]
            wait_until(lambda: self._busy == 0)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
