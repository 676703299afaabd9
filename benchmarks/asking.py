"""
One thing asked again and again, in a process of its own: a contract's call, remote or local, or what it is beside.

Told on its standard input, a line each, as in ``quote-remote 1000``; answers each with its own CPU seconds, and is
ready when it has said so. Started by benchmarks/calls.py, with the address of the callee as INVENTORY_URL.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.canned_settings")
django.setup()

from benchmarks.canned import SERVICE
from contracts.inventory import INVENTORY, InventoryService
from runtime.calls import resolve
from runtime.calls.local import LocalClient
from runtime.calls.pool import POOL

SKUS = ("BENCH-101", "BENCH-102", "BENCH-103")
ORDER = UUID(int=7)

type Ask = Callable[[], object]


class NotHealthy(RuntimeError):
    """The server that is measured does not answer as a healthy one."""


def _health() -> None:
    if POOL.get(sys.argv[1], seconds=10.0).status != 200:
        raise NotHealthy


def _quote(service: InventoryService) -> Ask:
    return lambda: service.quote(skus=SKUS)


def _release(service: InventoryService) -> Ask:
    return lambda: service.release(key="one", order_id=ORDER)


def main() -> None:
    local: InventoryService = LocalClient(domain="inventory", protocol=InventoryService, service=SERVICE)
    remote = resolve(INVENTORY)
    known: dict[str, Ask] = {
        "health": _health,
        "quote-remote": _quote(remote),
        "quote-local": _quote(local),
        "quote-straight": _quote(SERVICE),
        "release-remote": _release(remote),
        "release-local": _release(local),
        "release-straight": _release(SERVICE),
    }
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        name, _, count = line.partition(" ")
        ask = known[name]
        before = time.process_time()
        for _ in range(int(count)):
            ask()
        sys.stdout.write(f"{time.process_time() - before}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
