"""How the orders ended that were placed while a domain was in trouble, and that nothing else was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.neighbours.town import Town
from tests.neighbours.visitors import Purchase, Visitors
from tests.shop import wait_until

ENDED_WITHIN = 60.0
"""Seconds after the last fault (V11 in the guarantees)."""

WANTED = {"pm_card_visa": ("confirmed", None), "pm_card_declined": ("cancelled", "payment_declined")}
"""Status and reason by payment method: whoever is out of reach is waited for, so none ends otherwise."""

type Ends = Mapping[str, tuple[str, str | None]]


def await_ends(town: Town, purchases: list[Purchase]) -> Ends:
    """Status and reason of each order, once it has ended. Fails where one does not."""
    pending = {each.order_id for each in purchases if each.order_id}
    ends: dict[str, tuple[str, str | None]] = {}

    def ended() -> bool:
        for order_id in list(pending):
            order: Any = town.shop.order(order_id)
            if order["status"] == "pending":
                return False
            ends[order_id] = order["status"], order.get("reason")
            pending.remove(order_id)
        return True

    try:
        wait_until(ended, limit=ENDED_WITHIN)
    except AssertionError:
        stuck = town.shop.manage("sagas", "list").stdout
        raise AssertionError(f"{len(pending)} orders have not ended after {ENDED_WITHIN:.0f} s:\n{stuck}") from None
    return ends


def wrong_ends(purchases: list[Purchase], ends: Ends) -> list[str]:
    """Orders that ended as they should not, or otherwise than their buyer was told."""
    found = []
    for each in purchases:
        end = ends.get(each.order_id) if each.order_id else None
        told = each.answer.status if each.answer else 0
        stored = told in {201, 202, 402}
        if (end is not None) != stored or (end is not None and end != WANTED[each.method]):
            found.append(f"{each.method} was answered {each.said} and ended {end}")
        if (told == 201 and each.method != "pm_card_visa") or (told == 402 and each.method != "pm_card_declined"):
            found.append(f"{each.method} was answered {each.said}")
    return found


def assert_nothing_else_was_done(town: Town, visitors: Visitors) -> None:
    """Exactly those orders are there that their buyers know of, the stock is theirs, and the books hold."""
    of_sku = "SELECT id, status FROM orders_order WHERE items @> jsonb_build_array(jsonb_build_object('sku', %s::text))"
    there = {str(row[0]): row[1] for row in town.shop.sql("orders", of_sku, visitors.sku)}
    known = {*visitors.first_orders, *(each.order_id for each in visitors.purchases if each.order_id)}
    assert there.keys() == known
    confirmed = sum(status == "confirmed" for status in there.values())
    assert town.shop.stock(visitors.sku)["reserved"] == confirmed
    verified = town.shop.manage("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
