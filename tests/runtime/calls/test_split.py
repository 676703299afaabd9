"""A shop whose domains are in several processes is the same shop."""

from __future__ import annotations

from uuid import uuid4

import pytest
import urllib3
from django.conf import settings as project
from django.utils.module_loading import import_string

from contracts.inventory import INVENTORY
from contracts.payments import PAYMENTS
from contracts.users import USERS, UserUnknown
from runtime.calls import resolve
from runtime.calls.remote import RemoteClient
from runtime.calls.routing import _client
from runtime.identity.tokens import issue
from tests.runtime.calls.processes import Process


@pytest.fixture
def orders_alone(process, settings, committed):
    """This process hosts orders; the other three answer from a process of their own."""
    url = f"http://127.0.0.1:{process.port}"
    settings.HOSTED_DOMAINS = ("orders",)
    settings.SERVICE_URLS = dict.fromkeys(("users", "inventory", "payments"), url)
    _client.cache_clear()
    assert all(isinstance(resolve(ref), RemoteClient) for ref in (USERS, INVENTORY, PAYMENTS))
    yield
    _client.cache_clear()


@pytest.mark.parametrize(
    ("method", "status", "reason", "reserved", "payment"),
    [
        ("pm_card_visa", "confirmed", None, 2, "captured"),
        ("pm_card_declined", "cancelled", "payment_declined", 0, "failed"),
    ],
)
def test_an_order_is_placed_across_processes(orders_alone, trade, method, status, reason, reserved, payment):
    sku = trade.product(stock=10)

    order = trade.order(sku=sku, units=2, method=method)

    assert (order.status, order.reason) == (status, reason)
    assert (trade.stock(sku).on_hand, trade.stock(sku).reserved) == (10, reserved)
    assert trade.payment(order).status == payment


def test_a_process_that_hosts_orders_alone_takes_an_order_over_http(process, tmp_path, trade, committed):
    url, sku = f"http://127.0.0.1:{process.port}", trade.product(stock=10)
    elsewhere = {"USERS_URL": url, "INVENTORY_URL": url, "PAYMENTS_URL": url}
    alone = Process(
        tmp_path, DOMAINS="orders", ORDER_BUDGET="30s", DJANGO_SETTINGS_MODULE="config.settings", **elsewhere
    )
    try:
        answer = urllib3.request(
            "POST",
            f"http://127.0.0.1:{alone.public}/api/orders",
            json={"items": [{"sku": sku, "quantity": 2}], "paymentMethod": "pm_card_visa"},
            headers={
                "Authorization": f"Bearer {issue(user_id=trade.customer, roles=['customer'])}",
                "Idempotency-Key": "one",
                "X-Request-Id": "one-request",
            },
            retries=False,
            timeout=60.0,
        )
    finally:
        alone.kill()

    assert (answer.status, answer.json()["status"]) == (201, "confirmed"), alone.log
    assert trade.stock(sku).reserved == 2
    served = [line for line in process.log.splitlines() if "request_id=one-request" in line]
    assert len(served) >= 4
    assert all("principal=orders " in line and "status=200" in line for line in served)


def test_every_domain_can_be_asked_by_every_other_what_it_has_heard(orders_alone):
    told = (uuid4(), uuid4())
    for domain in ("users", "inventory", "payments"):
        unheard = resolve(import_string(project.CONTRACTS[domain])).unheard(source="orders", event_ids=told)
        assert set(unheard.events) == set(told)


def test_every_domain_can_be_asked_by_every_other_how_it_does(orders_alone):
    for domain in ("users", "inventory", "payments"):
        found = resolve(import_string(project.CONTRACTS[domain])).overview()
        assert len(found.records) >= 4
        assert {figure.address.split("/")[2] for figure in (*found.records, *found.machinery)} == {domain}


def test_an_error_of_a_real_contract_crosses_as_itself(orders_alone):
    with pytest.raises(UserUnknown) as raised:
        resolve(USERS).validate(user_id=uuid4())

    assert raised.value.may_have_run is False
