"""A whole shop, run as anybody runs it: ``manage.py up`` in a directory of its own, talked to over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
import urllib3

from runtime.databases.urls import role_url
from runtime.embedded.placement import discard

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "a password for the tests"
OPERATOR = "operator@journeys.example"
IDLE_SECONDS = 2.0
"""The web server closes a kept connection after five: one that is used in that moment would break."""


@dataclass(slots=True)
class Answer:
    status: int
    body: Any
    headers: Any


class Shop:
    """A running system and the ways to talk to it."""

    def __init__(self, folder: Path, *, root: Path = ROOT, **environ: str) -> None:
        self.folder = folder
        self.root = root
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.endswith("_URL")},
            "STATE_DIR": str(folder),
            "PORT": "0",
            "RATE_LIMIT_ANONYMOUS": "off",
            "RATE_LIMIT_USER": "off",
            "OPERATOR_EMAIL": OPERATOR,
            "OPERATOR_PASSWORD": PASSWORD,
            **environ,
        }
        for name in ("SECRET_KEY", "SERVICE_KEY", "JWT_SIGNING_KEY"):
            self.environ.pop(name, None)
        self._asking = threading.Lock()
        self._asked_at = -IDLE_SECONDS

    def owner_url(self, domain: str) -> str:
        """The login of the role that owns a domain's schema."""
        secret = json.loads((self.folder / "secrets.json").read_text())["SECRET_KEY"]
        return role_url(self.run["databases"][domain], f"{domain}_owner", secret)

    def start(self) -> None:
        log = (self.folder / "up.log").open("wb")
        self._up = subprocess.Popen(
            [sys.executable, "manage.py", "up"], cwd=self.root, env=self.environ, stdout=log, stderr=log
        )
        wait_until(lambda: self.run.get("state") == "ready" or self._up.poll() is not None, limit=180)
        assert self._up.poll() is None, (self.folder / "up.log").read_text()
        self.operator = self.sign_in(OPERATOR)

    def stop(self) -> None:
        self._up.send_signal(signal.SIGINT)
        self._up.wait(60)

    def hold_supervisor(self) -> None:
        """What dies from now on is not started again,"""
        self._up.send_signal(signal.SIGSTOP)

    def let_supervisor_go(self) -> None:
        """until now."""
        self._up.send_signal(signal.SIGCONT)

    @property
    def run(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.folder / "run.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=self.root,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=3600,
        )

    def pid(self, name: str) -> int:
        return next(process["pid"] for process in self.run["processes"] if process["name"] == name)

    def kill_group(self, name: str) -> None:
        os.killpg(self.pid(name), signal.SIGKILL)

    def await_ready(self, *, limit: float = 30) -> None:
        def ready() -> bool:
            try:
                return self.send("GET", "/health/ready").status == 200
            except urllib3.exceptions.HTTPError:
                return False

        wait_until(ready, limit=limit)

    # --- HTTP -------------------------------------------------------------------------------------------------------

    def send(
        self, method: str, path: str, body: Any = None, *, token: str = "", raw: bytes | None = None, **headers: str
    ) -> Answer:
        sent = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        answer = self._connections().request(method, self.run["http"] + path, body=data, headers=sent)
        content = json.loads(answer.data) if "json" in answer.headers.get("Content-Type", "") else answer.data
        return Answer(answer.status, content, answer.headers)

    def _connections(self) -> urllib3.PoolManager:
        """Those that were used a moment ago; new ones after a rest."""
        with self._asking:
            if time.monotonic() - self._asked_at >= IDLE_SECONDS:
                self._http = urllib3.PoolManager(maxsize=64, retries=False, timeout=30.0)
            self._asked_at = time.monotonic()
            return self._http

    def sign_in(self, email: str) -> str:
        answer = self.send("POST", "/api/users/token", {"email": email, "password": PASSWORD})
        assert answer.status == 200, answer
        return str(answer.body["access"])

    def customer(self) -> str:
        """A new customer's token."""
        email = f"{uuid4()}@journeys.example"
        answer = self.send("POST", "/api/users", {"email": email, "name": "A customer", "password": PASSWORD})
        assert answer.status == 201, answer
        return self.sign_in(email)

    def product(self, *, stock: int, price: str = "10.00") -> str:
        """A new product's sku."""
        sku = f"T-{uuid4().hex[:12]}"
        money = {"amount": price, "currency": "GBP"}
        made = self.send(
            "POST", "/api/inventory/products", {"sku": sku, "name": sku, "price": money}, token=self.operator
        )
        assert made.status == 201, made
        if stock:
            path = f"/api/inventory/products/{sku}/restock"
            body = {"quantity": stock, "reason": "test"}
            stocked = self.send("POST", path, body, token=self.operator, idempotency_key=str(uuid4()))
            assert stocked.status == 200, stocked
        return sku

    def stock(self, sku: str) -> dict[str, int]:
        answer = self.send("GET", f"/api/inventory/products/{sku}/stock", token=self.operator)
        return {name: value for name, value in answer.body.items() if name != "sku"}

    def place(
        self,
        token: str,
        lines: dict[str, int] | list[Any],
        *,
        method: str = "pm_card_visa",
        key: str = "",
        **headers: str,
    ) -> Answer:
        items = [{"sku": sku, "quantity": units} for sku, units in lines.items()] if isinstance(lines, dict) else lines
        body = {"items": items, "paymentMethod": method}
        return self.send("POST", "/api/orders", body, token=token, idempotency_key=key or str(uuid4()), **headers)

    def order(self, order_id: str) -> Any:
        return self.send("GET", f"/api/orders/{order_id}", token=self.operator).body

    def await_status(self, order_id: str, *statuses: str, limit: float = 60) -> Any:
        wait_until(lambda: self.order(order_id)["status"] in statuses, limit=limit)
        return self.order(order_id)

    def payments(self, order_id: str) -> list[Any]:
        items: list[Any] = self.send("GET", f"/api/payments?orderId={order_id}", token=self.operator).body["items"]
        return items

    wait_until = staticmethod(lambda condition, limit: wait_until(condition, limit=limit))

    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """All at once, a thread each; the answers in the calls' order."""
        with ThreadPoolExecutor(max_workers=len(calls)) as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]

    def sql(self, domain: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """A look from outside at what a domain wrote down."""
        connection = psycopg2.connect(self.run["databases"][domain])
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return list(cursor.fetchall())
        finally:
            connection.close()


def wait_until(condition: Callable[[], Any], *, limit: float) -> None:
    """Look again and again until it holds. Fails after ``limit`` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"still not so after {limit} s"
        time.sleep(0.05)


def running(*, root: Path = ROOT, **environ: str) -> Iterator[Shop]:
    """``root``: the tree whose code runs."""
    folder = Path(tempfile.mkdtemp(prefix="mitosis-journey-"))
    shop = Shop(folder, root=root, **environ)
    try:
        shop.start()
        yield shop
    finally:
        shop.stop()
        discard(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """One running system for all journeys that leave it standing. Mark them xdist_group("shop")."""
    yield from running()


@pytest.fixture(scope="module")
def own_shop() -> Iterator[Shop]:
    """A system of the module's own, to be mistreated."""
    yield from running()
