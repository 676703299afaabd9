"""Stock that drifted, at the console: counted on the first page, found in the list, shown and set right on its page."""

from __future__ import annotations

import re

import pytest
from prometheus_client.core import GaugeMetricFamily

from apps.inventory import admin
from apps.inventory.models import Stock
from apps.inventory.service import SERVICE
from config.stock_figures import StockFigures
from contracts._base import Figure
from runtime.audit.models import AuditEntry
from tests.runtime.console.cases import drifted
from tests.trade import Trade

pytestmark = pytest.mark.django_db


def figure() -> Figure:
    return next(figure for figure in admin.overview().records if figure.title == "Stock that drifted")


def test_the_first_page_counts_it_since_when_and_leads_to_it(sign_in, trade: Trade) -> None:
    trade.product()
    assert (figure().value, figure().alarming, figure().note) == ("0", False, "")
    sku = drifted(trade)

    SERVICE.look_for_drift()

    assert (figure().value, figure().alarming) == ("1", True)
    assert re.fullmatch(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", figure().note)
    listed = sign_in("support").get(figure().address).context["cl"].result_list
    assert [row.sku for row in listed] == [sku]


def test_its_page_shows_both_sides_and_the_difference_and_says_what_setting_it_does(sign_in, trade: Trade) -> None:
    operator, sku = sign_in("operator"), drifted(trade)
    Stock.objects.using("inventory").filter(pk=sku).update(reserved=2)

    page = operator.get(f"/admin/inventory/product/{sku}/change/")
    action = operator.get(f"/admin/inventory/product/{sku}/set-to-journal/")

    (panel, _) = page.context["panels"]
    assert panel.title == "Stock that drifted"
    assert [tuple(row) for row in panel.rows] == [
        ("On hand", 7, 10, "+3"),
        ("Reserved", 2, 0, "-2"),
        ("Sold", 0, 0, ""),
        ("Held by reservations", "", 0, ""),
    ]
    assert list(action.context["preview"])[:3] == [
        "On hand goes from 7 to 10 (+3).",
        "Reserved goes from 2 to 0 (-2).",
        "Sold stays 0.",
    ]


def test_what_the_preview_says_is_what_is_done(sign_in, trade: Trade) -> None:
    operator, sku = sign_in("operator"), trade.product(stock=10)
    trade.order(sku=sku, units=4)
    Stock.objects.using("inventory").filter(pk=sku).update(on_hand=13, reserved=5, sold=2)
    address = f"/admin/inventory/product/{sku}/set-to-journal/"
    page = operator.get(address)
    promised = [int(n) for n in re.findall(r"to (\d+)", " ".join(page.context["preview"]))]
    form = {name: str(value) for name, value in page.context["form"].initial.items()}

    answer = operator.post(address, {**form, "reason": "Restored."})

    assert answer.status_code == 302
    row = Stock.objects.using("inventory").get(pk=sku)
    assert promised == [row.on_hand, row.reserved, row.sold] == [10, 4, 0]
    (entry,) = AuditEntry.objects.using("inventory").all()
    assert (entry.before["on hand"], entry.after["on hand"], entry.reason) == (13, 10, "Restored.")


def test_stock_that_agrees_has_no_such_panel_and_is_not_offered_to_be_set(sign_in, trade: Trade) -> None:
    operator, sku = sign_in("operator"), trade.product(stock=10)

    page = operator.get(f"/admin/inventory/product/{sku}/change/")
    asked = operator.get(f"/admin/inventory/product/{sku}/set-to-journal/")

    assert "drifted" not in page.content.decode()
    assert "set-to-journal" not in page.content.decode()
    assert (asked.status_code, asked["Location"]) == (302, f"/admin/inventory/product/{sku}/change/")


def test_a_difference_that_changed_since_it_was_shown_is_refused_and_a_damaged_form_says_so(
    sign_in, trade: Trade
) -> None:
    operator, sku = sign_in("operator"), drifted(trade)
    address = f"/admin/inventory/product/{sku}/set-to-journal/"

    refused = operator.act(address, difference="2 0 0", reason="Restored.")
    damaged = operator.act(address, difference="3; 0", reason="Restored.")

    assert (refused.status_code, damaged.status_code) == (409, 422)
    assert "something else than was shown" in refused.content.decode()
    assert "This form is damaged" in damaged.content.decode()
    assert trade.stock(sku).on_hand == 7
    assert AuditEntry.objects.using("inventory").count() == 0


def test_a_page_of_figures_has_how_many_drifted_where_inventory_is_hosted(trade: Trade, settings) -> None:
    def told() -> list[float]:
        (gauge,) = StockFigures().collect()
        assert isinstance(gauge, GaugeMetricFamily)
        return [sample.value for sample in gauge.samples]

    assert told() == [0.0]
    drifted(trade)
    SERVICE.look_for_drift()
    assert told() == [1.0]
    settings.HOSTED_DOMAINS = ("orders",)
    assert told() == []
