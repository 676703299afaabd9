"""
What well-known shops were measured to get wrong, with the same figures: one order charged five times, fifty sold of
ten, orders reported as paid that nobody paid for.
"""

from __future__ import annotations

import threading
from functools import partial
from uuid import uuid4

from tests.chaos.buyers import Buyers, Wish
from tests.chaos.checks import all_is_well
from tests.chaos.house import STOCK, House
from tests.shop import OPERATOR, wait_until


def test_five_completions_at_once_of_each_of_ten_orders_are_ten_charges_and_thirty_units(house: House) -> None:
    shop, token, sku = house.shop, house.shop.customer(), house.product()
    keys = [str(uuid4()) for _ in range(10)]
    asks = [partial(shop.place, token, {sku: 3}, key=key) for key in keys for _ in range(5)]

    answers = shop.together(*asks)
    ids = {shop.place(token, {sku: 3}, key=key).body["id"] for key in keys}
    house.await_quiet()

    assert {answer.status for answer in answers} <= {201, 202, 409}
    assert {answer.body["code"] for answer in answers if answer.status == 409} <= {"idempotency_in_progress"}
    assert len(ids) == 10
    money = house.money()
    charges = [(money.intents[f"{each}:charge"], money.captures[f"{each}:charge"].count) for each in ids]
    assert charges == [(1, 1)] * 10
    assert {shop.order(each)["status"] for each in ids} == {"confirmed"}
    assert shop.stock(sku) == {"onHand": STOCK, "reserved": 30, "available": STOCK - 30, "sold": 0}


def test_fifty_buyers_of_ten_units_buy_ten_in_each_of_six_rounds(house: House) -> None:
    shop = house.shop
    tokens = [shop.customer() for _ in range(50)]
    for _ in range(6):
        shop.operator = shop.sign_in(OPERATOR)
        sku = shop.product(stock=10)

        answers = shop.together(*[partial(shop.place, token, {sku: 1}) for token in tokens])
        ids = [answer.body.get("id") or answer.body["orderId"] for answer in answers]
        ends = [shop.await_status(each, "confirmed", "cancelled")["status"] for each in ids]
        house.await_quiet()

        money = house.money()
        assert (ends.count("confirmed"), ends.count("cancelled")) == (10, 40)
        assert shop.stock(sku) == {"onHand": 10, "reserved": 10, "available": 0, "sold": 0}
        assert sum(money.captures[f"{each}:charge"].count for each in ids) == 10
        assert sum(money.net(f"{each}:charge") for each in ids) == 100
        refused = {answer.body["code"] for answer in answers if answer.status not in {201, 202}}
        assert refused == {"out_of_stock"}


def test_a_kill_while_sixteen_payments_are_in_flight_leaves_no_order_confirmed_and_unpaid(house: House) -> None:
    sku = house.product()
    buyers = Buyers(house.shop, sku, at_once=16)
    buying = threading.Thread(target=buyers.buy, args=([Wish(method="pm_fault_unknown_10s") for _ in range(16)],))
    question = "SELECT count(*) FROM payments_payment WHERE status IN ('processing', 'unknown')"
    buying.start()
    wait_until(lambda: house.shop.sql("payments", question)[0][0] >= 16, limit=30)

    house.shop.kill_group("web")
    buying.join()
    house.await_quiet()

    ends = all_is_well(house, buyers, sku, stock=STOCK)
    assert ends == {"confirmed": 16}
