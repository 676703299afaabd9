"""A provider that answers late, wrongly or never: every order ends paid once, or not at all, with nobody's help."""

from __future__ import annotations

from tests.chaos.buyers import CANCEL_AT_ONCE, CANCEL_LATER, KEEP, Buyers, Wish
from tests.chaos.checks import all_is_well
from tests.chaos.conftest import FULL
from tests.chaos.house import STOCK, House

ORDERS = 200 if FULL else 3
AT_ONCE = 24 if FULL else 12

FAULTS = {
    "captured, then no answer": ("pm_fault_capture_then_timeout", KEEP),
    "captured, then a 500": ("pm_fault_capture_then_500", KEEP),
    "a reset in the middle of the answer": ("pm_fault_reset_mid_body", KEEP),
    "nothing is known of it for 10 s": ("pm_fault_unknown_10s", KEEP),
    "success after it was cancelled, told twice": ("pm_fault_late_success", CANCEL_AT_ONCE),
    "it cannot be cancelled and succeeds, told twice": ("pm_fault_processing_uncancellable", CANCEL_AT_ONCE),
    "the webhook before the answer": ("pm_fault_webhook_first", KEEP),
    "a refund that fails twenty times": ("pm_fault_refund_fails_20", CANCEL_LATER),
    "a refund that is made and not answered": ("pm_fault_refund_then_timeout", CANCEL_LATER),
    "an answer that is no answer": ("pm_fault_nonsense", KEEP),
    "nothing wrong, and a cancel": ("pm_card_visa", CANCEL_AT_ONCE),
    "declined": ("pm_card_chargeDeclined", KEEP),
}


def test_whatever_the_provider_does_each_order_ends_paid_once_or_not_at_all(house: House, dice) -> None:
    sku = house.product()
    wishes: list[Wish] = []
    for method, then in FAULTS.values():
        wishes += [Wish(method=method, then=then, units=dice.randint(1, 3)) for _ in range(ORDERS)]
    dice.shuffle(wishes)
    buyers = Buyers(house.shop, sku, at_once=AT_ONCE)

    buyers.buy(wishes)
    house.await_quiet()

    ends = all_is_well(house, buyers, sku, stock=STOCK)
    kept = sum(then == KEEP and method != "pm_card_chargeDeclined" for method, then in FAULTS.values())
    assert ends == {"confirmed": kept * ORDERS, "cancelled": (len(FAULTS) - kept) * ORDERS}
