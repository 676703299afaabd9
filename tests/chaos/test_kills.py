"""kill -9 at each named point of sagas and payments while orders are under way: each ends once, with nobody's help."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.chaos.buyers import CANCEL_AT_ONCE, CANCEL_LATER, KEEP, Buyers, Wish
from tests.chaos.checks import all_is_well
from tests.chaos.conftest import FULL
from tests.chaos.house import House
from tests.shop import wait_until

KILLS = 20 if FULL else 1
AT_ONCE = 10
WITHIN = 120.0 + 15.0 * KILLS
"""Seconds in which so many have to have died at one point."""

POINTS = (
    "api.before_commit",
    "api.after_commit_before_reply",
    "saga.before_step",
    "saga.after_step_before_record",
    "saga.before_undo",
    "saga.after_undo_before_record",
    "pay.after_prepare_before_record",
    "pay.before_call",
    "pay.after_call_before_record",
    "comp.after_before_record",
)
SLICE = ("saga.after_step_before_record", "saga.after_undo_before_record", "pay.after_call_before_record")

WISHES = (
    ("pm_card_visa", KEEP, 6),
    ("pm_card_visa", CANCEL_AT_ONCE, 4),
    ("pm_async", KEEP, 1),
    ("pm_async", CANCEL_AT_ONCE, 1),
    ("pm_card_chargeDeclined", KEEP, 2),
    ("pm_fault_capture_then_timeout", KEEP, 1),
    ("pm_fault_slow", CANCEL_LATER, 1),
)


def endless(dice: random.Random) -> Iterator[Wish]:
    weights = [weight for *_, weight in WISHES]
    while True:
        ((method, then, _),) = dice.choices(WISHES, weights)
        yield Wish(method=method, then=then)


@pytest.mark.parametrize("points", [(point,) for point in POINTS] if FULL else [SLICE], ids="+".join)
def test_whoever_dies_there_each_order_ends_once_and_legally(house: House, dice, points: tuple[str, ...]) -> None:
    sku = house.shop.product(stock=1_000_000)
    buyers = Buyers(house.shop, sku, at_once=AT_ONCE)
    buying = buyers.keep_buying(endless(dice))
    try:
        wait_until(lambda: len(buyers.wishes) >= AT_ONCE, limit=60)
        for point in points:
            _kill(house, point, dice)
    finally:
        house.disarm()
        buyers.stop(buying)
    house.await_quiet()

    all_is_well(house, buyers, sku, stock=1_000_000)


def _kill(house: House, point: str, dice: random.Random) -> None:
    """Until so many more have died there. Fails where that takes too long: a point nobody passes proves nothing."""
    wanted, end = house.deaths(point) + KILLS, time.monotonic() + WITHIN
    while (died := house.deaths(point)) < wanted:
        house.arm(point, dice.randint(1, 12))
        wait_until(partial(_more_deaths, house, point, died), limit=max(1.0, end - time.monotonic()))


def _more_deaths(house: House, point: str, died: int) -> bool:
    return house.deaths(point) > died
