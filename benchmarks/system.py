"""The whole of Mitosis, started as `make up` starts it, below a directory of its own."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2

from benchmarks.errors import DidNotStart, NotDrained
from config.demonstration import Client
from config.subscriptions import SUBSCRIPTIONS
from runtime.embedded import state
from runtime.embedded.postgres import ADMINISTRATOR, DATABASE
from runtime.embedded.process import is_alive, wait_until

PROJECT = Path(__file__).resolve().parents[1]
MANAGE = (sys.executable, str(PROJECT / "manage.py"))
START_LIMIT = 180.0
STOP_LIMIT = 60.0
HURRY_LIMIT = 30.0
DRAIN_LIMIT = 60.0

OPERATOR = "operator@bench.example"
CUSTOMER = "customer@bench.example"

SKUS = tuple(f"BENCH-{number}" for number in range(101, 200))
"""Bought three at a time: the first three, the next three and so on."""
UNITS = 1_000_000
PRICE = {"amount": "12.50", "currency": "GBP"}

DOMAINS = tuple(SUBSCRIPTIONS)


class System:
    """``start`` it, talk to it at ``url``, ``stop`` it; each start is from nothing. Without a topology one group."""

    def __init__(self, folder: Path, *, broker_url: str = "", topology: str = "") -> None:
        self.folder = folder
        self._password = secrets.token_urlsafe(16)
        self._up: subprocess.Popen[bytes] | None = None
        # Servers of one's own and their secrets are not for this: everything is embedded.
        foreign = (
            *("SECRET_KEY", "SERVICE_KEY", "JWT_SIGNING_KEY"),
            *("DJANGO_SETTINGS_MODULE", "MITOSIS_SUPERVISED", "TOPOLOGY", "DOMAINS"),
        )
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_URL") and name not in foreign}
        # Whoever is started with this belongs to the system.
        self.environ = {
            **kept,
            "STATE_DIR": str(folder),
            "PORT": "0",
            "RATE_LIMIT_ANONYMOUS": "off",
            "RATE_LIMIT_USER": "off",
            # As where a collector gets them.
            "TRACES_SAMPLE": os.environ.get("TRACES_SAMPLE", "0.1"),
            "OPERATOR_EMAIL": OPERATOR,
            "OPERATOR_PASSWORD": self._password,
            **({"BROKER_URL": broker_url} if broker_url else {}),
            **({"TOPOLOGY": topology} if topology else {}),
        }

    # --- Start and stop ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Raises DidNotStart."""
        self.clean()
        log = state.make_private(self.folder) / "up.log"
        with log.open("wb") as output:
            # A session of its own: Ctrl-C is for the benchmark, which then stops this in order.
            self._up = subprocess.Popen(  # noqa: S603 - our own program
                [*MANAGE, "up"], env=self.environ, stdout=output, stderr=output, start_new_session=True
            )
        up = self._up
        wait_until(lambda: up.poll() is not None or self._is_ready(), limit=START_LIMIT, every=0.2)
        if not self._is_ready():
            words = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-12:])
            raise DidNotStart(limit=START_LIMIT, folder=self.folder, words=words)

    def stop(self) -> None:
        """Stop everything in order; where that takes too long, or somebody is impatient, in a hurry."""
        if self._up is None:
            return
        up, self._up = self._up, None
        for limit in (STOP_LIMIT, HURRY_LIMIT):
            up.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                up.wait(limit)
                return
        up.kill()
        up.wait()
        self._manage("down")

    def clean(self) -> None:
        """Stop what an earlier run left behind, and remove its data."""
        if self.folder.exists():
            self._manage("down", "--clean")

    def _manage(self, *words: str) -> None:
        subprocess.run([*MANAGE, *words], env=self.environ, capture_output=True, check=False)  # noqa: S603 - our own

    def _is_ready(self) -> bool:
        run = state.read_run(self.folder)
        return run is not None and run["state"] == "ready"

    @property
    def run(self) -> state.RunFile:
        run = state.read_run(self.folder)
        assert run is not None, "asked before it was started"
        return run

    @property
    def url(self) -> str:
        return self.run["http"]

    def leaders(self) -> dict[str, list[int]]:
        """The first process of each group by role: web, worker, relay, postgres, valkey; more than one when split."""
        found: dict[str, list[int]] = {}
        for process in self.run["processes"]:
            found.setdefault(process["name"].partition("-")[0], []).append(process["pid"])
        return found

    @contextmanager
    def relay_paused(self) -> Iterator[None]:
        """Nothing asks the database meanwhile: at rest only the relay does."""
        relays = [pid for pid in self.leaders().get("relay", []) if is_alive(pid)]
        for pid in relays:
            os.killpg(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in relays:
                os.killpg(pid, signal.SIGCONT)

    # --- The database, as its administrator -------------------------------------------------------------------------

    def server(self) -> dict[str, str]:
        """How PostgreSQL's own programs find the server and log in: their environment variables."""
        parts = urlsplit(self.run["databases"][DOMAINS[0]])
        password = state.secrets(self.folder)["POSTGRES_PASSWORD"]
        return {
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port),
            "PGUSER": ADMINISTRATOR,
            "PGPASSWORD": password,
        }

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run them one by one, each committed; the rows of the last."""
        server = self.server()
        connection = psycopg2.connect(
            host=server["PGHOST"],
            port=server["PGPORT"],
            user=server["PGUSER"],
            password=server["PGPASSWORD"],
            dbname=DATABASE,
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def drain(self) -> None:
        """Wait until every order has ended and every event has had its effect. Raises NotDrained."""
        end = time.monotonic() + DRAIN_LIMIT
        for what, count in (("events to send or orders to end", _WAITING), ("events without effect", _WITHOUT_EFFECT)):
            while left := self.ask(count)[0][0]:
                if time.monotonic() > end:
                    raise NotDrained(limit=DRAIN_LIMIT, left=f"{left} {what}", logs=self.folder / "log")
                time.sleep(0.1)

    # --- Over HTTP --------------------------------------------------------------------------------------------------

    def stock_up(self) -> None:
        """Products that do not run out, and a customer."""
        operator = Client(self.url)
        operator.sign_in(OPERATOR, self._password)
        for sku in SKUS:
            operator.demand("POST", "/api/inventory/products", {"sku": sku, "name": f"Product {sku}", "price": PRICE})
            stock = {"quantity": UNITS, "reason": "For the benchmark"}
            operator.demand("POST", f"/api/inventory/products/{sku}/restock", stock, key=str(uuid4()))
        customer = {"email": CUSTOMER, "name": "A customer", "password": self._password}
        operator.demand("POST", "/api/users", customer)

    def customer(self) -> Client:
        """The one customer, signed in."""
        client = Client(self.url)
        client.sign_in(CUSTOMER, self._password)
        return client

    def token(self) -> str:
        """An access token of the customer's. It is good for a quarter of an hour, and a run is shorter."""
        login = {"email": CUSTOMER, "password": self._password}
        return str(Client(self.url).demand("POST", "/api/users/token", login)["access"])


# --- What is left to do ----------------------------------------------------------------------------------------------

# Answered from partial indexes that are empty when there is nothing to do, so that asking costs next to nothing.
_WAITING = "SELECT (SELECT count(*) FROM orders.saga_sagarun WHERE state IN ('running', 'compensating'))" + "".join(
    f" + (SELECT count(*) FROM {domain}.messaging_outboxmessage WHERE published_at IS NULL AND wanted)"
    f" + (SELECT count(*) FROM {domain}.messaging_inboxmessage WHERE handled_at IS NULL)"
    for domain in DOMAINS
)


def _missing_in(consumer: str, events: tuple[str, ...]) -> str:
    """Events that are on their way: sent, and not in their consumer's inbox yet."""
    names = ", ".join(f"'{name}'" for name in events)
    told = " UNION ALL ".join(
        f"SELECT event_id FROM {domain}.messaging_outboxmessage WHERE event_type IN ({names})" for domain in DOMAINS
    )
    return (
        f"(SELECT count(*) FROM ({told}) AS told WHERE NOT EXISTS (SELECT FROM {consumer}.messaging_inboxmessage AS i"
        " WHERE i.event_id = told.event_id AND i.handled_at IS NOT NULL))"
    )


_WITHOUT_EFFECT = "SELECT " + " + ".join(
    _missing_in(consumer, tuple(event.name for event in events)) for consumer, events in SUBSCRIPTIONS.items() if events
)
