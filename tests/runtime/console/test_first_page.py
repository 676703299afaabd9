"""The first page's figures: true, and each leads to the records that it counts."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import OperationalError
from django.utils.module_loading import import_string

from contracts._base import Figure
from runtime.calls.routing import _client
from runtime.console.models import Operator as Somebody
from runtime.messaging.models import InboxMessage
from runtime.saga.models import SagaRun
from tests.operators import Operator
from tests.trade import Trade

pytestmark = pytest.mark.django_db


def figures(reader: Operator) -> dict[str, tuple[str, str]]:
    """Each figure's value and address, by its group and title."""
    page = reader.get("/admin/")
    assert page.status_code == 200
    return {
        f"{group.title}: {f.title}": (f.value, f.address)
        for group in page.context["groups"]
        for f in (*group.figures, *group.machinery)
    }


def counted(reader: Operator, address: str) -> int:
    answer = reader.get(address)
    assert answer.status_code == 200, address
    return answer.context["cl"].result_count


def test_the_figures_are_true_and_lead_to_what_they_count(sign_in, trade: Trade) -> None:
    from apps.orders.service import SERVICE

    trade.order()
    trade.shipped()
    trade.order(method="pm_card_declined")
    trade.order(units=1000)
    trade.product(stock=3)
    SERVICE.cancel(order_id=trade.order().id, reason="By mistake.")
    reader = sign_in("support")

    shown = figures(reader)

    values = {name: value for name, (value, _) in shown.items()}
    assert values["Orders: Confirmed"] == "1"
    assert values["Orders: Shipped"] == "1"
    assert values["Orders: Cancelled"] == "3"
    assert values["Orders: Refused: payment declined"] == "1"
    assert values["Orders: Refused: out of stock"] == "1"
    assert values["Payments: Captured today"] == "75.00 GBP"
    assert values["Payments: Refunded today"] == "25.00 GBP"
    assert values["Inventory: On sale"] == "6"
    assert values["Inventory: Low"] == "1"
    assert values["Users: Support"] == "1"
    for name, (value, address) in shown.items():
        if not name.endswith("today"):
            assert str(counted(reader, address)) == value, name
    assert counted(reader, shown["Payments: Captured today"][1]) == 3
    assert counted(reader, shown["Payments: Refunded today"][1]) == 1


def test_what_needs_somebody_is_marked(sign_in, trade: Trade) -> None:
    order = trade.order()
    SagaRun.objects.using("orders").filter(subject=order.id).update(state=SagaRun.NEEDS_ATTENTION)
    heard = {"event_type": "Something", "source": "orders", "subject": "1", "sequence": 1, "envelope": {}}
    InboxMessage.objects.using("payments").create(event_id=uuid4(), **heard)
    reader = sign_in("support")

    page = reader.get("/admin/")

    machinery = {group.title: {f.title: f for f in group.machinery} for group in page.context["groups"]}
    assert machinery["Orders"]["Processes that need attention"].value == "1"
    assert machinery["Orders"]["Processes that need attention"].alarming
    assert not machinery["Payments"]["Processes that need attention"].alarming
    assert machinery["Payments"]["Events not handled yet"].value == "1"
    for group in machinery.values():
        for figure in group.values():
            assert str(counted(reader, figure.address)) == figure.value


def test_a_domain_that_cannot_answer_leaves_the_page_to_the_others(sign_in, monkeypatch) -> None:
    def gone() -> list[Figure]:
        raise OperationalError("gone")

    def wrong() -> list[Figure]:
        raise ZeroDivisionError

    monkeypatch.setattr("apps.orders.admin._figures", gone)
    monkeypatch.setattr("apps.users.admin._figures", wrong)

    page = sign_in("support").get("/admin/")

    assert page.status_code == 200
    shown = [
        (group.title, group.failed, bool(group.figures), bool(group.machinery)) for group in page.context["groups"]
    ]
    assert shown == [
        ("Orders", True, False, False),
        ("Payments", False, True, True),
        ("Inventory", False, True, True),
        ("Users", True, False, False),
    ]
    text = page.content.decode()
    assert text.count("cannot be asked now. The others go on.") == 2
    # The columns are named, though the first domain could not say what they are.
    assert '<th scope="col">Dead letters</th>' in text


def test_a_domain_that_is_neither_here_nor_anywhere_is_said_to_be_away(sign_in, settings) -> None:
    reader = sign_in("support")
    settings.HOSTED_DOMAINS = ("users",)
    settings.SERVICE_URLS = {"inventory": "http://127.0.0.1:9"}
    _client.cache_clear()
    try:
        groups = reader.get("/admin/").context["groups"]
    finally:
        _client.cache_clear()

    assert {group.title: group.failed for group in groups} == {
        "Orders": True,
        "Payments": True,
        "Inventory": True,
        "Users": False,
    }


def test_whoever_may_not_see_a_domains_records_is_not_shown_its_figures(sign_in, monkeypatch) -> None:
    may = Somebody.has_perm
    withheld = "payments.view_any"
    monkeypatch.setattr(Somebody, "has_perm", lambda self, wanted: wanted != withheld and may(self, wanted))

    page = sign_in("support").get("/admin/")

    assert [group.title for group in page.context["groups"]] == ["Orders", "Inventory", "Users"]


def test_one_domain_has_a_page_with_its_own_figures_and_no_others(sign_in, trade: Trade) -> None:
    trade.order()
    page = sign_in("support").get("/admin/orders/")

    assert page.status_code == 200
    (group,) = page.context["groups"]
    assert (group.title, len(group.machinery)) == ("Orders", 4)
    assert {f.title: f.value for f in group.figures}["Confirmed"] == "1"


@pytest.mark.parametrize("domain", ["orders", "payments", "inventory", "users"])
def test_who_asks_by_the_inside_port_gets_the_addresses_of_the_public_one(domain: str, settings) -> None:
    settings.ROOT_URLCONF = settings.INSIDE_URLCONF
    found = import_string(settings.SERVICES[domain]).overview()

    assert len(found.machinery) == 4
    figures = (*found.records, *found.machinery)
    assert {figure.address.split("/")[1:3] == ["admin", domain] for figure in figures} == {True}
