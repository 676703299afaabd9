"""The shop with a payment provider of the tests' own, in processes of their own, and a file that says where to die."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Self

from runtime.embedded.placement import discard
from tests.provider.journal import Read, read
from tests.shop import OPERATOR, ROOT, Shop, wait_until

API_KEY = "sk_test_TheTestersOwn"
SECRET = "whsec_the_testers_own_secret"
STOCK = 1_000_000
DOMAINS = ("users", "inventory", "payments", "orders")

# Two processes that place orders, so that one can sleep while the other goes on.
SMALL = {"WEB_WORKERS": "2", "PROVIDER_TIMEOUT": "1s", "ORDER_BUDGET": "2s", "WEB_THREADS": "16"}
# One that sleeps is not to be killed for it: it is to wake up and do harm, if it can.
PATIENT = {"GUNICORN_CMD_ARGS": "--timeout 300"}


class House:
    """``shop`` and its provider. Ends both, and whatever they started, at the end of the block."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.journal = folder / "journal"
        self.armed = folder / "armed"
        port = _free_port()
        self._address = f"http://127.0.0.1:{port}/api/payments/webhooks/stripe"
        self._folder = folder / "shop"
        self._folder.mkdir()
        self._environ = {**SMALL, **PATIENT, "PORT": str(port), **environ}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.provider", "--journal", str(self.journal), "--secret", SECRET]
        self._provider = subprocess.Popen(
            [*command, "--webhooks", self._address], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._provider.stdout is not None
        self.provider_url = self._provider.stdout.readline().strip()
        self.shop = Shop(
            self._folder,
            PAYMENT_PROVIDER="stripe",
            STRIPE_API_KEY=API_KEY,
            STRIPE_API_BASE=self.provider_url,
            STRIPE_WEBHOOK_SECRET=SECRET,
            MITOSIS_ENV="test",
            CRASH_AT=f"@{self.armed}",
            **self._environ,
        )
        try:
            self.shop.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.disarm()
        self.shop.stop()
        self._provider.kill()
        self._provider.wait()
        discard(self._folder)
        shutil.rmtree(self._folder, ignore_errors=True)

    def product(self) -> str:
        """The sku of a new product, with more of it than anybody will buy."""
        self.shop.operator = self.shop.sign_in(OPERATOR)
        return self.shop.product(stock=STOCK)

    # --- Faults -----------------------------------------------------------------------------------------------------

    def arm(self, point: str, nth: int) -> None:
        """Whoever passes there for the n-th time from now on dies."""
        self.armed.write_text(f"{point}:{nth}")

    def disarm(self) -> None:
        self.armed.write_text("")

    def deaths(self, point: str) -> int:
        """How many have died there so far."""
        deaths = Path(f"{self.armed}.deaths")
        return sum(line.split()[0] == point for line in deaths.read_text().splitlines()) if deaths.exists() else 0

    def pause_provider(self) -> None:
        """It takes connections, and says nothing."""
        self._provider.send_signal(signal.SIGSTOP)

    def continue_provider(self) -> None:
        self._provider.send_signal(signal.SIGCONT)

    # --- What is true -----------------------------------------------------------------------------------------------

    def money(self) -> Read:
        """The provider's journal."""
        return read(self.journal)

    def unfinished(self) -> dict[str, int]:
        """What has not ended yet, or waits for a person; empty where all is quiet."""
        questions = {
            "events not settled": "SELECT count(*) FROM messaging_outboxmessage WHERE wanted AND settled_at IS NULL",
            "events not handled": "SELECT count(*) FROM messaging_inboxmessage WHERE handled_at IS NULL",
            "processes": "SELECT count(*) FROM saga_sagarun WHERE state NOT IN ('completed', 'compensated')",
        }
        found = {
            f"{domain}: {name}": self.shop.sql(domain, question)[0][0]
            for domain in DOMAINS
            for name, question in questions.items()
        }
        owed = "SELECT count(*) FROM payments_refund WHERE done_at IS NULL"
        found["payments: refunds owed"] = self.shop.sql("payments", owed)[0][0]
        return {name: count for name, count in found.items() if count}

    def await_quiet(self, *, limit: float = 60.0) -> None:
        """Until everything has ended, with nobody's help."""
        self.shop.await_ready()
        try:
            wait_until(lambda: not self.unfinished(), limit=limit)
        except AssertionError:
            raise AssertionError(f"still not ended after {limit:.0f} s: {self.unfinished()}") from None


def _free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
