"""The shop with each domain in processes of its own, and what can happen to one of them."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self

import urllib3

from runtime.embedded.placement import discard
from tests.neighbours.between import CRASHES, GARBAGE, Between
from tests.shop import Shop

TOPOLOGY = "users|inventory|payments|orders"
THREADS = 8
_ROLES = ("web", "worker", "relay")


class Town:
    """``shop``, whose groups reach users, inventory and payments by ways that can be broken. Nobody calls orders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ways = {domain: Between(partial(self._inside, domain)) for domain in ("users", "inventory", "payments")}
        urls = {f"{domain.upper()}_URL": way.url for domain, way in self._ways.items()}
        self.shop = Shop(folder, TOPOLOGY=TOPOLOGY, WEB_WORKERS="1", WEB_THREADS=str(THREADS), **urls)
        self.faults: Mapping[str, Callable[[str], Iterator[None]]] = {
            "stopped": self.stopped,
            "stalled": self.stalled,
            "500": self.crashing,
            "garbage": self.garbling,
        }

    def __enter__(self) -> Self:
        try:
            self.shop.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.shop.stop()
        for way in self._ways.values():
            way.close()
        discard(self._folder)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _inside(self, domain: str) -> str:
        return str(self.shop.run["groups"][domain]["inside"])

    def figures(self, domain: str) -> str:
        """What this group's web server has counted."""
        answer = urllib3.request("GET", f"{self._inside(domain)}/metrics", timeout=10.0, retries=False)
        assert answer.status == 200
        return answer.data.decode()

    # --- What can happen to a domain --------------------------------------------------------------------------------

    @contextmanager
    def stopped(self, domain: str) -> Iterator[None]:
        """All its processes are dead, nobody listens, and whoever would start them again is held up."""
        with self._ways[domain].refusing():
            self.shop.hold_supervisor()
            try:
                for role in _ROLES:
                    self.shop.kill_group(f"{role}-{domain}")
                yield
            finally:
                self.shop.let_supervisor_go()
        self.shop.await_ready(limit=90)

    @contextmanager
    def stalled(self, domain: str) -> Iterator[None]:
        """All its processes are there, take connections, and do nothing."""
        pids = [self.shop.pid(f"{role}-{domain}") for role in _ROLES]
        with ExitStack() as later:
            for pid in pids:
                os.killpg(pid, signal.SIGSTOP)
                later.callback(_let_go, pid)
            yield
        self.shop.await_ready(limit=90)

    @contextmanager
    def crashing(self, domain: str) -> Iterator[None]:
        """Every call is answered 500."""
        with self._ways[domain].saying(*CRASHES):
            yield

    @contextmanager
    def garbling(self, domain: str) -> Iterator[None]:
        """Every call is answered with what is no answer."""
        with self._ways[domain].saying(*GARBAGE):
            yield


def _let_go(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGCONT)
