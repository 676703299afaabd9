"""Nine months of a real shop's sales, placed over HTTP, killed in the middle, and rebuilt while orders arrive."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import Any

from tests.shop import OPERATOR

INVOICES = 11_342
SUM = "5,159,146.74"


def test_nine_months_go_through_with_the_first_week_skipped_and_a_kill_in_the_middle(
    own_shop: Any, histories: Any
) -> None:
    week, months = histories
    for file in (week, months):
        imported = own_shop.manage("import_retail", str(file))
        assert imported.returncode == 0, imported.stderr
    first = own_shop.manage("replay_retail", str(week))
    assert first.returncode == 0, first.stdout + first.stderr
    assert "232,987.99" in first.stdout
    _replay_and_kill(own_shop, months, after=3_000)
    second = own_shop.manage("replay_retail", str(months), "--concurrency", "4")
    print(second.stdout)
    assert second.returncode == 0, second.stdout + second.stderr
    rows = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:5]]
        for line in second.stdout.splitlines()
        if line.startswith("│")
    }
    assert rows["all rows of the file"] == ["320,705", f"{INVOICES:,}", SUM]
    # The first week's were placed by the other file; what the killed run had journalled was placed before as well.
    assert int(rows["placed before"][1].replace(",", "")) >= 3_000 + 566
    ((orders,),) = own_shop.sql("orders", "SELECT count(*) FROM orders_order")
    assert orders == INVOICES
    verified = own_shop.manage("verify")
    print(verified.stdout)
    assert verified.returncode == 0, verified.stdout


def test_rebuilding_while_ten_orders_a_second_arrive_keeps_nobody_waiting(own_shop: Any, histories: Any) -> None:
    own_shop.operator = own_shop.sign_in(OPERATOR)  # nine months take longer than a token lives
    sku, stop, waited, failed = own_shop.product(stock=100_000), threading.Event(), [], []

    def buy(token: str) -> None:
        while not stop.is_set():
            started = time.monotonic()
            answer = own_shop.place(token, {sku: 1})
            waited.append(time.monotonic() - started)
            if answer.status not in (201, 202):
                failed.append(answer)
            stop.wait(max(0.0, 0.4 - (time.monotonic() - started)))

    token = own_shop.customer()
    buyers = [threading.Thread(target=buy, args=(token,)) for _ in range(4)]
    for buyer in buyers:
        buyer.start()
    try:
        rebuilt = own_shop.manage("rebuild_projections")
    finally:
        stop.set()
        for buyer in buyers:
            buyer.join()
    print(rebuilt.stdout, f"{len(waited)} orders meanwhile, the slowest took {max(waited):.2f} s")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    hashes = [line.split()[-1] for line in rebuilt.stdout.splitlines() if line.startswith("hash")]
    assert hashes[0] == hashes[1]
    assert failed == []
    assert max(waited) < 1.0


def _replay_and_kill(shop: Any, file: Any, *, after: int) -> None:
    """Start a replay and kill it with SIGKILL once so many orders are there."""
    replay = subprocess.Popen(
        [sys.executable, "manage.py", "replay_retail", str(file), "--concurrency", "4"],
        cwd=shop.root,
        env=shop.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    count = "SELECT count(*) >= %s FROM orders_order"
    shop.wait_until(
        lambda: shop.sql("orders", count, after + 600) == [(True,)] or replay.poll() is not None, limit=1800
    )
    assert replay.poll() is None, "the replay ended before it could be killed"
    replay.send_signal(signal.SIGKILL)
    replay.wait()
