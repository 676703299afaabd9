"""kill -9 at the worst moment, again and again: every order still ends well, with nobody's help."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import Any
from uuid import uuid4

import pytest
import urllib3

pytestmark = [pytest.mark.xdist_group("kill"), pytest.mark.timeout(600)]

METHODS = ("pm_card_timeout", "pm_card_visa", "pm_card_async", "pm_card_timeout", "pm_card_declined")


@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.proof)])
def test_kills_of_the_web_while_it_waits_leave_each_order_paid_once_or_not_at_all(own_shop: Any, kills: int) -> None:
    shop, sku = own_shop, own_shop.product(stock=1000)
    token = shop.customer()
    keys = []
    for method in itertools.islice(itertools.cycle(METHODS), kills):
        shop.await_ready()
        key = str(uuid4())
        keys.append((key, method))
        sent = threading.Thread(target=_place_and_lose, args=(shop, token, sku, method, key))
        sent.start()
        _await_charge_begun(shop, key)
        shop.kill_group("web")
        sent.join()
    shop.await_ready()
    # An order whose answer was lost is found again by its key.
    ids = []
    for key, method in keys:
        answer = shop.place(token, {sku: 1}, method=method, key=key)
        ids.append(answer.body.get("id") or answer.body["orderId"])
    for order_id in ids:
        order = shop.await_status(order_id, "confirmed", "cancelled", limit=60)
        captures = [p for p in shop.payments(order_id) if p["status"] == "captured"]
        assert len(captures) == (1 if order["status"] == "confirmed" else 0)
    confirmed = sum(shop.order(order_id)["status"] == "confirmed" for order_id in ids)
    shop.wait_until(lambda: shop.stock(sku)["reserved"] == confirmed, limit=60)
    assert confirmed == sum(method != "pm_card_declined" for _, method in keys)
    verified = shop.manage("verify")
    assert verified.returncode == 0, verified.stdout


def test_orders_survive_the_death_of_worker_and_relay(own_shop: Any) -> None:
    shop, sku = own_shop, own_shop.product(stock=100)
    token = shop.customer()
    placed = [shop.place(token, {sku: 1}, method="pm_card_async").body["id"] for _ in range(5)]
    shop.kill_group("worker")
    shop.kill_group("relay")
    for order_id in placed:
        assert shop.await_status(order_id, "confirmed", "cancelled", limit=60)["status"] == "confirmed"


def _place_and_lose(shop: Any, token: str, sku: str, method: str, key: str) -> None:
    # The process that would have answered is dead.
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        shop.place(token, {sku: 1}, method=method, key=key)


def _await_charge_begun(shop: Any, key: str) -> None:
    """Until the provider was asked to charge for the order of this key."""

    def begun() -> bool:
        order = shop.sql("orders", "SELECT order_id::text FROM orders_orderkey WHERE key = %s", key)
        if not order:
            return False
        asked = shop.sql("payments", "SELECT 1 FROM payments_sandboxcharge WHERE key LIKE %s", order[0][0] + "%")
        return bool(asked)

    shop.wait_until(begun, limit=20)
