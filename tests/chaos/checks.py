"""
What has to be true of every order in the end: the buyers' journal, the provider's and the shop's books, side by side.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from tests.chaos.buyers import KEEP, Buyers, Wish
from tests.chaos.house import House
from tests.provider.journal import Read
from tests.shop import OPERATOR

DECLINED = {
    "pm_card_chargeDeclined": "payment_declined",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_async_fail": "payment_failed",
}


def all_is_well(house: House, buyers: Buyers, sku: str, *, stock: int) -> Counter[str]:
    """How many orders ended in which status. Raises AssertionError with all that is wrong."""
    broken: list[str] = []
    ends: Counter[str] = Counter()
    units = 0
    money = house.money()
    house.shop.operator = house.shop.sign_in(OPERATOR)
    for wish in buyers.wishes:
        order = house.shop.order(wish.order_id)
        ends[order["status"]] += 1
        units += wish.units if order["status"] == "confirmed" else 0
        broken += [f"{wish.method}, {wish.then}, order {wish.order_id}: {each}" for each in _of_one(money, wish, order)]
    broken += _nothing_unasked(house, money, buyers, sku)
    balances = house.shop.stock(sku)
    expected = {"onHand": stock, "reserved": units, "available": stock - units, "sold": 0}
    if balances != expected:
        broken.append(f"stock is {balances}, of the orders it would be {expected}")
    verified = house.shop.manage("verify")
    if verified.returncode != 0:
        broken.append(verified.stdout + verified.stderr)
    assert not broken, "\n".join(broken[:40])
    return ends


def _of_one(money: Read, wish: Wish, order: dict) -> list[str]:
    """V1 to V3, V10 and V12 for one order, from outside."""
    found = []
    key = f"{wish.order_id}:charge"
    captured, refunded = money.captures[key], money.refunds[key]
    total = Decimal(order["totalAmount"]["amount"])
    status, wanted = order["status"], _wanted(wish)
    if status not in wanted:
        found.append(f"it is {status} ({order.get('reason')}), and not {' or '.join(wanted)}")
    if status == "confirmed" and (captured.count, captured.amount, refunded.count) != (1, total, 0):
        found.append(f"confirmed, and the provider has {captured} and {refunded} of {total}")
    if status == "cancelled" and captured.amount != refunded.amount:
        found.append(f"cancelled, and the provider still holds {captured.amount - refunded.amount} of {total}")
    if captured.count > 1 or refunded.count > 1 or money.intents[key] > 1:
        found.append(f"{money.intents[key]} charges, captured {captured.count} and refunded {refunded.count} times")
    if wish.method in DECLINED and order.get("reason") not in {DECLINED[wish.method], "cancelled"}:
        found.append(f"its reason is {order.get('reason')}")
    if wish.answer and wish.answer.status == 201 and status != "confirmed" and wish.then == KEEP:
        found.append("its buyer was told that it is confirmed")
    return found


def _wanted(wish: Wish) -> set[str]:
    return {"cancelled"} if wish.then != KEEP or wish.method in DECLINED else {"confirmed"}


def _nothing_unasked(house: House, money: Read, buyers: Buyers, sku: str) -> list[str]:
    """V10: each wish is one order, and there is no order, and no money, that nobody asked for."""
    found = []
    ids = [wish.order_id for wish in buyers.wishes]
    if len(set(ids)) != len(ids):
        found.append(f"two wishes led to one order: {[each for each, n in Counter(ids).items() if n > 1]}")
    known = {str(row[0]) for row in house.shop.sql("orders", "SELECT id FROM orders_order")}
    of_sku = "SELECT id FROM orders_order WHERE items @> jsonb_build_array(jsonb_build_object('sku', %s::text))"
    if unasked := {str(row[0]) for row in house.shop.sql("orders", of_sku, sku)} - set(ids):
        found.append(f"nobody asked for these orders: {unasked}")
    paid = {key.removesuffix(":charge") for key, moved in money.captures.items() if moved.count}
    if paid - known:
        found.append(f"the provider has money for orders that are not there: {paid - known}")
    return found
