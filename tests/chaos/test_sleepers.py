"""Whoever sleeps past his lease and goes on does no harm: somebody else has gone on meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress

import pytest

from tests.chaos.buyers import Buyers
from tests.chaos.checks import all_is_well
from tests.chaos.conftest import FULL
from tests.chaos.house import STOCK, House
from tests.chaos.test_kills import endless
from tests.shop import wait_until

NAPS = 5

# A minute for each nap: `make chaos-money` alone has the time.
pytestmark = [] if FULL else [pytest.mark.proof]


@pytest.mark.parametrize("role", ["web", "worker"])
def test_processes_that_are_stopped_past_their_lease_and_continued_do_no_harm(house: House, dice, role: str) -> None:
    sku = house.product()
    buyers = Buyers(house.shop, sku, at_once=8, later=role == "worker")
    buying = buyers.keep_buying(endless(dice))
    try:
        wait_until(lambda: len(buyers.wishes) >= 20, limit=60)
        for _ in range(NAPS):
            asleep: set[tuple[str, int]] = set()
            while not asleep:
                child = _child(house, role)
                os.kill(child, signal.SIGSTOP)
                try:
                    asleep = _asleep(house)
                    # What it held is gone on with by somebody else, once the lease is over.
                    wait_until(lambda: not asleep & _held(house), limit=60)  # noqa: B023 - within the round
                finally:
                    # Workers are recycled: one that has gone meanwhile does no harm either.
                    with suppress(ProcessLookupError):
                        os.kill(child, signal.SIGCONT)
            before = len(buyers.wishes)
            wait_until(lambda: len(buyers.wishes) >= before + 20, limit=60)  # noqa: B023 - within the round
    finally:
        buyers.stop(buying)
    house.await_quiet()

    all_is_well(house, buyers, sku, stock=STOCK)


def _child(house: House, role: str) -> int:
    """One of those that do the work, not the one that watches over them."""
    found = subprocess.run(["pgrep", "-P", str(house.shop.pid(role))], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


def _held(house: House) -> set[tuple[str, int]]:
    """The processes that somebody holds, and the how-manieth holder that is."""
    question = (
        "SELECT id::text, epoch FROM saga_sagarun"
        " WHERE state IN ('running', 'compensating') AND lease_until IS NOT NULL"
    )
    return set(house.shop.sql("orders", question))


def _asleep(house: House) -> set[tuple[str, int]]:
    """Those that nobody goes on with: held now, and still by the same holder when the awake ones have long ended."""
    held = _held(house)
    end = time.monotonic() + 6.0
    while held and time.monotonic() < end:
        time.sleep(0.2)
        held &= _held(house)
    return held
