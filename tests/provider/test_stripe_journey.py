"""A whole shop with Stripe as its provider: placed over HTTP, told by webhooks, through an outage, and verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.provider.fixture import SECRET, RunningProvider, running_provider
from tests.shop import Shop, running

pytestmark = pytest.mark.xdist_group("stripe_shop")


@pytest.fixture(scope="module")
def paid_through_stripe() -> Iterator[tuple[Shop, RunningProvider]]:
    with running_provider() as provider, contextmanager(running)(**environment(provider)) as shop:
        provider.announce_to(f"{shop.run['http']}/api/payments/webhooks/stripe")
        yield shop, provider


def environment(provider: RunningProvider) -> dict[str, str]:
    return {
        "PAYMENT_PROVIDER": "stripe",
        "STRIPE_API_KEY": "sk_test_thetesters",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_API_BASE": provider.url,
        "PROVIDER_TIMEOUT": "1s",
    }


def net(provider: RunningProvider, order: dict[str, Any]) -> Decimal:
    return provider.journal().net(f"{order['id']}:charge")


def test_orders_end_well_whatever_the_provider_does_and_no_answer_of_ours_is_a_5xx(paid_through_stripe):
    shop, provider = paid_through_stripe
    sku, token = shop.product(stock=50), shop.customer()
    methods = ("pm_card_visa", "pm_async", "pm_fault_capture_then_500", "pm_fault_reset_mid_body", "pm_fault_flood")
    placed = [shop.place(token, {sku: 1}, method=method) for method in methods]
    provider.stop()
    placed += [shop.place(token, {sku: 1}) for _ in range(3)]
    provider.start()
    refused = shop.place(token, {sku: 1}, method="pm_card_chargeDeclinedInsufficientFunds")

    assert {answer.status for answer in placed} <= {201, 202}
    assert [answer.status for answer in placed[-3:]] == [202] * 3
    assert (refused.status, refused.body["code"]) == (402, "insufficient_funds")
    orders = [shop.await_status(answer.body["id"], "confirmed", "cancelled") for answer in placed]
    assert [(order["status"], net(provider, order)) for order in orders] == [("confirmed", Decimal(10))] * 8

    order = orders[0]
    path = f"/api/orders/{order['id']}/cancel"
    assert shop.send("POST", path, {"reason": "x"}, token=token, idempotency_key=str(uuid4())).status == 200
    shop.wait_until(lambda: net(provider, order) == 0, limit=30)
    verified = shop.manage("verify")
    assert verified.returncode == 0, verified.stdout
    assert "movements of ours" in verified.stdout
    written = "".join(path.read_text() for path in (shop.folder / "log").iterdir())
    assert not [word for word in ("sk_test_thetesters", SECRET) if word in written + verified.stderr]
    assert (" status=201" in written, " status=5" in written) == (True, False)
