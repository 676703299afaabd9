"""The first page's figures: true, and each leads to the records that it counts."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import OperationalError

from runtime.console.figures import Figures, count
from runtime.console.site import console
from runtime.messaging.models import InboxMessage
from runtime.saga.models import SagaRun
from tests.operators import Operator
from tests.trade import Trade

pytestmark = pytest.mark.django_db


def figures(reader: Operator) -> dict[str, tuple[str, str]]:
    """Each figure's value and address, by its group and title."""
    page = reader.get("/admin/")
    assert page.status_code == 200
    groups = [*page.context["groups"], *page.context["machinery"]]
    return {f"{group.title}: {f.title}": (f.value, f.address) for group in groups for f in group.figures}


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

    machinery = {group.title: {f.title: f for f in group.figures} for group in page.context["machinery"]}
    assert machinery["Orders"]["Processes that need attention"].value == "1"
    assert machinery["Orders"]["Processes that need attention"].alarming
    assert not machinery["Payments"]["Processes that need attention"].alarming
    assert machinery["Payments"]["Events not handled yet"].value == "1"
    for group in machinery.values():
        for figure in group.values():
            assert str(counted(reader, figure.address)) == figure.value


def test_a_domain_that_cannot_answer_leaves_the_page_to_the_others(sign_in, monkeypatch) -> None:
    broken = Figures()
    broken.add("orders", lambda: (_ for _ in ()).throw(OperationalError("gone")))
    broken.add("payments", lambda: [count("Payments", 3, "/admin/payments/payment/")])
    # The site is a lazy object of Django's: what is set on it by setattr would be deleted afterwards, and not put back.
    monkeypatch.setitem(vars(console())["_wrapped"].__dict__, "figures", broken)

    page = sign_in("support").get("/admin/")

    assert page.status_code == 200
    assert [(group.title, group.failed) for group in page.context["groups"]] == [("Orders", True), ("Payments", False)]
    assert "cannot be asked now" in page.content.decode()


def test_one_domain_has_a_page_with_its_own_figures_and_no_others(sign_in, trade: Trade) -> None:
    trade.order()
    page = sign_in("support").get("/admin/orders/")

    assert page.status_code == 200
    assert [group.title for group in page.context["groups"]] == ["Orders"]
    assert [group.title for group in page.context["machinery"]] == ["Orders"]
    assert {f.title: f.value for f in page.context["groups"][0].figures}["Confirmed"] == "1"


def test_of_what_is_not_hosted_here_the_first_page_says_where_it_is(sign_in, settings) -> None:
    reader = sign_in("support")
    settings.HOSTED_DOMAINS = ("users", "inventory")

    groups = {group.title: group.elsewhere for group in reader.get("/admin/").context["groups"]}

    assert groups["Payments"] == "/admin/payments/"
    assert groups["Inventory"] == ""
