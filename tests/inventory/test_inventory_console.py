"""Inventory at the console: the shelf is corrected once for each form, and never below what is held for orders."""

from __future__ import annotations

from uuid import uuid4

import pytest

from runtime.audit.models import AuditEntry
from tests.operators import Operator
from tests.together import together
from tests.trade import Trade


def found(operator: Operator, **query: str) -> list[str]:
    return [row.sku for row in operator.get("/admin/inventory/product/", query).context["cl"].result_list]


@pytest.mark.usefixtures("committed")
def test_a_form_that_is_sent_many_times_at_once_is_one_effect(sign_in, trade: Trade) -> None:
    operator, sku = sign_in("operator"), trade.product(stock=10)
    form = {"quantity": "5", "reason": "Note 17", "key": str(uuid4())}

    answers = together(*[lambda: operator.post(f"/admin/inventory/product/{sku}/restock/", form)] * 6)

    assert {answer.status_code for answer in answers} == {302}
    assert trade.stock(sku).on_hand == 15
    assert AuditEntry.objects.using("inventory").count() == 1


@pytest.mark.django_db
def test_a_sku_that_is_taken_is_not_added_again(sign_in, trade: Trade) -> None:
    sku = trade.product()

    answer = sign_in("operator").act("/admin/inventory/product/add-product/", sku=sku, name="New", price="1")

    assert answer.status_code == 409
    assert "There is a product with this sku already" in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("sku", ["", "a b", "ä", "-x", "x" * 65, "../x"])
def test_what_is_no_sku_is_not_added(sku: str, sign_in) -> None:
    answer = sign_in("operator").act("/admin/inventory/product/add-product/", sku=sku, name="New", price="1")

    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"sku"}


@pytest.mark.django_db
def test_a_product_that_is_changed_keeps_what_was_not_touched(sign_in, trade: Trade) -> None:
    operator, sku = sign_in("operator"), trade.product(stock=3)
    address = f"/admin/inventory/product/{sku}/change-product/"
    before = operator.get(address).context["form"].initial
    unchanged = {"name": before["name"], "description": before["description"], "active": "on"}

    operator.act(address, **unchanged, price="13.00")

    row = operator.get("/admin/inventory/product/", {"q": sku}).context["cl"].result_list[0]
    assert (str(row.price), row.name, row.active, row.stock.on_hand) == ("13.00 GBP", before["name"], True, 3)


@pytest.mark.django_db
def test_products_are_found_by_beginnings_of_words_and_by_what_is_left(sign_in, trade: Trade) -> None:
    operator = sign_in("support")
    much, little, none = trade.product(stock=100), trade.product(stock=2), trade.product(stock=0)

    assert found(operator, q=much) == found(operator, q=f"thing {much[:8]}") == [much]
    assert found(operator, stock="low") == [little]
    assert found(operator, stock="out") == [none]
    assert set(found(operator, sale="on_sale")) == {much, little, none}
    assert found(operator, sale="not_on_sale") == []


@pytest.mark.django_db
def test_a_products_page_shows_why_its_stock_is_what_it_is(sign_in, trade: Trade) -> None:
    sku = trade.product(stock=10)
    order = trade.order(sku=sku, units=4)

    page = sign_in("support").get(f"/admin/inventory/product/{sku}/change/").content.decode()

    for words in ("receipt", "reserve", "delivered", f"/admin/orders/order/?q={order.id}"):
        assert words in page
