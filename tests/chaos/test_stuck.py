"""A provider that is gone for too long: whoever looks sees what is stuck, and both ways on lead to a legal end."""

from __future__ import annotations

from pathlib import Path

import urllib3

from tests.chaos.buyers import Buyers, Wish
from tests.chaos.checks import all_is_well
from tests.chaos.house import STOCK, House
from tests.shop import wait_until

STUCK = "SELECT id::text, subject::text FROM saga_sagarun WHERE state = 'needs_attention' ORDER BY created_at"


def test_what_is_stuck_is_seen_and_an_operators_retry_and_compensate_each_end_it_legally(tmp_path: Path) -> None:
    with House(tmp_path, SAGA_PATIENCE="2s") as house:
        sku = house.product()
        buyers = Buyers(house.shop, sku, at_once=2)
        house.pause_provider()
        try:
            buyers.buy([Wish(method="pm_card_visa"), Wish(method="pm_card_visa")])
            wait_until(lambda: len(house.shop.sql("orders", STUCK)) == 2, limit=90)
        finally:
            house.continue_provider()
        (first, kept), (second, undone) = house.shop.sql("orders", STUCK)

        listed = house.shop.manage("sagas", "list", "--stuck")
        assert listed.returncode == 1
        assert first in listed.stdout
        assert second in listed.stdout
        shown = house.shop.manage("sagas", "show", kept).stdout
        assert "error: process_payment was tried for 2 s and did not end: " in shown
        figures = urllib3.request("GET", house.shop.run["metrics"]).data.decode()
        counted = 'mitosis_sagas{definition="orders.place_order",domain="orders",state="needs_attention"} 2.0'
        assert counted in figures
        for order_id in (kept, undone):
            assert house.shop.order(order_id)["status"] == "pending"

        why = ("--domain", "orders", "--reason", "The provider is back.")
        assert house.shop.manage("sagas", "retry", first, *why).returncode == 0
        assert house.shop.manage("sagas", "compensate", second, *why).returncode == 0
        house.await_quiet()

        for wish in buyers.wishes:
            wish.then = "cancelled by an operator" if wish.order_id == undone else wish.then
        assert all_is_well(house, buyers, sku, stock=STOCK) == {"confirmed": 1, "cancelled": 1}
        assert house.shop.order(kept)["status"] == "confirmed"
        assert house.shop.order(undone)["reason"] == "operator"
        assert house.money().net(f"{undone}:charge") == 0
        assert house.shop.manage("sagas", "list").stdout == "No process is under way or stuck.\n"
