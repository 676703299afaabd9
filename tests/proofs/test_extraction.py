"""Each domain goes and comes back with nine months of a real shop's sales in it, while an order is under way."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.embedded.postgres import Postgres
from tests.topologies.moving import server_elsewhere

DOMAINS = ("orders", "payments", "inventory", "users")


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Postgres]:
    yield from server_elsewhere()


def test_each_domain_goes_and_comes_back_with_nine_months_of_sales(
    own_shop: Any, histories: Any, elsewhere: Postgres
) -> None:
    _week, months = histories
    imported = own_shop.manage("import_retail", str(months))
    assert imported.returncode == 0, imported.stderr
    replayed = own_shop.manage("replay_retail", str(months), "--concurrency", "4")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    for domain in DOMAINS:
        token, sku = own_shop.customer(), own_shop.product(stock=5)
        waiting = own_shop.place(token, {sku: 1}, method="pm_card_async")
        assert waiting.status == 202
        told = ("extract", domain, "--database-url", elsewhere.url), ("absorb", domain)
        for words in told:
            print(_moved(own_shop, *words))
            assert own_shop.place(own_shop.customer(), {sku: 1}).status == 201
        _confirmed(own_shop, waiting.body["id"])
        verified = own_shop.manage("verify")
        assert verified.returncode == 0, verified.stdout


def _confirmed(shop: Any, order: str) -> None:
    """Fails with what its process and its payment say."""
    until = time.monotonic() + 60
    while shop.order(order)["status"] != "confirmed":
        assert time.monotonic() < until, [
            shop.sql("orders", "SELECT * FROM saga_sagarun WHERE subject = %s", order),
            shop.sql("payments", "SELECT * FROM payments_payment WHERE order_id = %s", order),
            shop.sql("payments", "SELECT * FROM payments_sandboxwebhook WHERE delivered_at IS NULL"),
        ]
        time.sleep(0.2)


def _moved(shop: Any, *words: str) -> str:
    """The figures, once it has ended well."""
    started = time.monotonic()
    done = shop.manage(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DIFFERENT" not in done.stdout
    copied = re.search(r"^[\d,]+ rows and [\d,]+ bytes were copied.*", done.stdout, re.MULTILINE)
    downtime = re.search(r"^Downtime: [\d.]+ s", done.stdout, re.MULTILINE)
    assert copied is not None
    assert downtime is not None
    return f"{' '.join(words[:2])}: {copied[0]} {downtime[0]}, {time.monotonic() - started:.1f} s in all"
