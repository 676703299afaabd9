"""A keeper's day in a real browser: stock that drifted is found and set right, and a file of products is brought in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.shop import wait_until

pytestmark = pytest.mark.xdist_group("shop")


def test_stock_that_drifted_is_found_by_itself_and_set_to_its_journal(visit: Visit, shop: Any) -> None:
    sku = shop.product(stock=10)
    shop.place(shop.customer(), {sku: 2})
    visit.sign_in()
    shop.sql("inventory", "UPDATE inventory_stock SET on_hand = 7, sold = 1 WHERE sku = %s RETURNING sku", sku)
    # The relay looks by itself.
    wait_until(lambda: shop.sql("inventory", "SELECT sku FROM inventory_stockdrift") == [(sku,)], limit=60)

    visit.open("/admin/")
    figure = visit.page.get_by_role("link", name=re.compile("Stock that drifted"))
    expect(figure).to_contain_text(re.compile(r"1\s+Stock that drifted\s+since 20"))
    figure.click()
    visit.page.locator("#result_list tbody").get_by_role("link").first.click()
    expect(visit.page.get_by_role("region", name="Stock that drifted")).to_contain_text("+3")
    visit.page.get_by_role("link", name="Set to the journal").click()
    expect(visit.page.get_by_text("On hand goes from 7 to 10 (+3).")).to_be_visible()
    visit.page.get_by_label("Reason").fill("A script wrote into the table.")
    visit.photograph("console-drift")
    visit.page.get_by_role("button", name="Set to the journal").dblclick()

    expect(visit.page.get_by_text(f"{sku} is what its journal says: 10 on hand, 2 reserved, 0 sold.")).to_be_visible()
    expect(visit.page.get_by_role("link", name="Set to the journal")).to_have_count(0)
    balances = "SELECT on_hand, reserved, sold FROM inventory_stock WHERE sku = %s"
    assert shop.sql("inventory", balances, sku) == [(10, 2, 0)]
    assert shop.sql("inventory", "SELECT sku FROM inventory_stockdrift") == []


def test_a_file_of_products_is_exported_mended_checked_and_brought_in(
    visit: Visit, phone: Visit, shop: Any, tmp_path: Path
) -> None:
    dear, plain = shop.product(stock=10), shop.product(stock=5)
    visit.sign_in()
    visit.open(f"/admin/inventory/product/?q={dear}")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("link", name="Export").click()
    header, line = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert header == "sku,name,description,price,currency,active,onHand,available"
    assert line.startswith(f"{dear},")
    good = tmp_path / "autumn.csv"
    cheaper = line.replace("10.00", "8.50")
    new = [f"{dear}-{size},Teapot {size},Holds {size} cl,{size}.00,GBP,true,," for size in (20, 40, 60)]
    good.write_text("\n".join([header, cheaper, *new]))
    bad = tmp_path / "typed-by-hand.csv"
    wrong = [f"{plain},Cup,,7.505,GBP,true,,", "TEA POT,Pot,,9.00,GBP,true,,", f"{dear}-80,Cup,,7.00,EUR,true,,"]
    bad.write_text("\n".join([header, cheaper, *wrong]))

    visit.page.get_by_label("Actions").get_by_role("link", name="Import").click()
    visit.page.get_by_label("File").set_input_files(bad)
    visit.page.get_by_role("button", name="Check the file").click()
    expect(visit.page.get_by_text("This file was not taken")).to_be_visible()
    expect(visit.page.get_by_role("region", name="What is wrong")).to_contain_text("'7.505' is not an amount")
    visit.photograph("console-import")
    visit.page.get_by_label("File").set_input_files(good)
    visit.page.get_by_role("button", name="Check the file").click()
    expect(visit.page.get_by_role("region", name="What changes")).to_contain_text("8.50 GBP")
    expect(visit.page.get_by_role("region", name="What is new")).to_contain_text("Teapot 60")
    visit.photograph("console-import-preview")
    phone.sign_in()
    for address in ("/admin/inventory/product/import/", visit.page.url.removeprefix(visit.home)):
        phone.open(address)
        assert not phone.overflows()
    price = "SELECT price_amount::text FROM inventory_product WHERE sku = %s"
    assert shop.sql("inventory", price, dear) == [("10.00",)]
    visit.page.get_by_label("Reason").fill("Autumn's prices.")
    visit.page.get_by_role("button", name="Bring in").dblclick()

    expect(visit.page.get_by_text("autumn.csv is brought in: 3 new, 1 changed, 0 unchanged.")).to_be_visible()
    assert shop.sql("inventory", price, dear) == [("8.50",)]
    audited = "SELECT action, reason FROM audit_auditentry WHERE action = 'inventory.bring_in'"
    assert shop.sql("inventory", audited) == [("inventory.bring_in", "Autumn's prices.")]
    # The browser itself notes the 422 of the form.
    visit.complaints = [said for said in visit.complaints if "422" not in said]
