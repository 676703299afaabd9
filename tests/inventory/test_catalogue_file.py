"""The catalogue as a file: what goes out comes in again and changes nothing, and is shown before anything is done."""

from __future__ import annotations

import csv
import io
import re

import pytest

from apps.inventory import catalogue
from apps.inventory.models import CatalogueImport, Product
from runtime.audit.models import AuditEntry
from runtime.console import exporting
from tests.inventory.catalogue_files import PRODUCTS, brought, exported, plain, product, sent, wrong

HEADER = "sku,name,description,price,currency,active"

ODD = (
    "=1+1", "+44 20", "-5 %", "@cell", "\tTab", "'=quoted", "''-twice", "'single", "plain",
    'She said "no", twice', "Öl; ½ l",
    "\uff1dwide", "a\nb", "a\r\nb", "\rx", " spaced ", "",
)  # fmt: skip


# --- There and back -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_is_exported_is_imported_again_and_changes_nothing(sign_in, shelf) -> None:
    operator = sign_in("operator")
    for at, words in enumerate(ODD):
        plain(shelf, f"P{at}", name=words or "x", description=words, price_amount=f"{at}.50", active=at % 2 == 0)

    text = exported(operator)
    answer = sent(operator, text)

    assert answer.status_code == 200, wrong(answer)
    assert list(answer.context["checked"].sentences) == [f"All of its {len(ODD)} products are as they are here."]
    assert (CatalogueImport.objects.using("inventory").count(), text.count("\r\n") > len(ODD)) == (0, True)


@pytest.mark.django_db
def test_no_cell_of_an_export_begins_as_a_formula_does(sign_in, shelf) -> None:
    for at, words in enumerate(ODD):
        plain(shelf, f"P{at}", name=words or "x", description=words)

    header, *lines = csv.reader(io.StringIO(exported(sign_in("support")), newline=""))

    assert header == list(catalogue.COLUMNS)
    assert len(lines) == len(ODD)
    assert [cell for line in lines for cell in line if re.match("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]", cell)] == []
    assert ["P0", "'=1+1", "'=1+1", "10.00", "GBP", "true", "3", "3"] in lines


@pytest.mark.django_db
def test_an_export_has_what_the_lists_search_and_filters_show_and_leads_there(sign_in, shelf, monkeypatch) -> None:
    monkeypatch.setattr(exporting, "ROWS_AT_A_TIME", 2)
    operator = sign_in("support")
    for sku in ("TEA-1", "TEA-2", "TEA-3", "TEA-4", "CUP-1"):
        shelf.product(sku, stock=0 if sku == "TEA-2" else 50)
    shelf.product("TEA-5", stock=50, active=False)

    def skus(**query: str) -> list[str]:
        return [line.partition(",")[0] for line in exported(operator, **query).splitlines()[1:]]

    assert skus() == ["CUP-1", "TEA-1", "TEA-2", "TEA-3", "TEA-4", "TEA-5"]
    assert skus(q="tea", sale="on_sale", o="-1") == ["TEA-1", "TEA-2", "TEA-3", "TEA-4"]
    assert skus(q="tea", stock="out") == ["TEA-2"]
    assert skus(q="nothing of the kind") == []
    page = operator.get(PRODUCTS, {"q": "tea", "stock": "out", "p": "1"}).content.decode()
    assert f"{PRODUCTS}export/?q=tea&amp;stock=out" in page
    answer = operator.get(f"{PRODUCTS}export/")
    assert answer["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert re.fullmatch(r'attachment; filename="products-\d{4}-\d\d-\d\d\.csv"', answer["Content-Disposition"])
    assert operator.head(f"{PRODUCTS}export/").status_code == 200
    assert operator.post(f"{PRODUCTS}export/").status_code == 405


@pytest.mark.django_db
def test_an_odd_question_is_exported_as_it_is_listed_or_leads_to_the_list(sign_in, shelf) -> None:
    operator = sign_in("support")
    shelf.product("A")

    for query in ("stock=nonsense", "o=99", "all=", "q=%27%25", "sale=", "p=99"):
        answer = operator.get(f"{PRODUCTS}export/?{query}")
        assert answer.status_code == 200, query
        assert b"".join(answer.streaming_content).startswith(b"sku,name"), query
    for query, status in (("nonsense=1", {302}), ("p=x", {200, 302}), ("name__regex=(", {400})):
        assert operator.get(f"{PRODUCTS}export/?{query}").status_code in status, query


@pytest.mark.django_db
def test_an_export_holds_few_rows_at_a_time(sign_in, shelf, django_assert_num_queries, monkeypatch) -> None:
    monkeypatch.setattr(exporting, "ROWS_AT_A_TIME", 2)
    for sku in "ABCDE":
        shelf.product(sku)
    stream = sign_in("support").get(f"{PRODUCTS}export/").streaming_content

    assert next(stream) == b"sku,name,description,price,currency,active,onHand,available\r\n"
    with django_assert_num_queries(1, using="inventory"):
        assert next(stream).count(b"\r\n") == 2
    with django_assert_num_queries(2, using="inventory"):
        assert b"".join(stream).count(b"\r\n") == 3


# --- Checked, shown, done -------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_file_is_checked_and_shown_first_and_done_only_when_somebody_says_so(sign_in, shelf) -> None:
    operator = sign_in("operator")
    plain(shelf, "A", name="Old"), plain(shelf, "B", name="Same"), plain(shelf, "C")
    text = f"{HEADER}\nA,New name,,12.5,GBP,FALSE\nB,Same,,10.00,GBP,true\nN,'=Fresh,Nice,7,GBP,true\n"

    answer = sent(operator, text)
    page = operator.get(answer["Location"])

    assert (product("A"), Product.objects.using("inventory").count()) == (("Old", "", "10.00 GBP", True), 3)
    assert page.context["facts"] == {"file": "products.csv", "new": 1, "changed": 1, "unchanged": 1, "done": False}
    changes, new = page.context["panels"]
    assert [tuple(row) for row in changes.rows] == [
        ("A", "name", "Old", "New name"),
        ("A", "price", "10.00 GBP", "12.50 GBP"),
        ("A", "active", "true", "false"),
    ]
    assert [tuple(row) for row in new.rows] == [("N", "=Fresh", "7.00 GBP", "true")]
    assert AuditEntry.objects.using("inventory").count() == 0

    done = operator.act(answer["Location"], reason="The season.")

    assert done.status_code == 302
    assert product("A") == ("New name", "", "12.50 GBP", False)
    assert product("N") == ("=Fresh", "Nice", "7.00 GBP", True)
    assert product("C") == ("Product C", "", "10.00 GBP", True)
    assert (shelf.balances("A"), shelf.balances("N")) == ((3, 0, 0), (0, 0, 0))
    (entry,) = AuditEntry.objects.using("inventory").all()
    assert (entry.action, entry.reason, entry.after["done"]) == ("inventory.bring_in", "The season.", True)
    found = [row.sku for row in operator.get(PRODUCTS, {"q": "fresh"}).context["cl"].result_list]
    assert found == ["N"]


@pytest.mark.django_db
def test_columns_that_are_left_out_stay_as_they_are_and_stock_is_only_for_reading(sign_in, shelf) -> None:
    operator = sign_in("operator")
    plain(shelf, "A", name="Tea", description="Green", active=False)

    brought(operator, "onHand,price,sku,available\n999,11.00,A,x\n")

    assert product("A") == ("Tea", "Green", "11.00 GBP", False)
    assert shelf.balances("A") == (3, 0, 0)


@pytest.mark.django_db
def test_a_file_with_a_byte_order_mark_and_empty_lines_is_understood(sign_in, shelf) -> None:
    brought(sign_in("operator"), "\ufeffsku,name,price\r\n\r\nN,Öl,1\r\n,,\r\n")

    assert product("N") == ("Öl", "", "1.00 GBP", True)


@pytest.mark.django_db
def test_the_first_hundred_changes_are_shown_and_how_many_more(sign_in, shelf) -> None:
    operator = sign_in("operator")

    answer = sent(operator, "sku,name,price\n" + "".join(f"N{at},New {at},1\n" for at in range(103)))
    (panel,) = operator.get(answer["Location"]).context["panels"]

    assert (len(panel.rows), panel.aside) == (100, "(the first 100 of 103; 3 more)")


@pytest.mark.django_db
def test_long_texts_are_shown_where_they_differ(sign_in, shelf) -> None:
    operator = sign_in("operator")
    plain(shelf, "A", description="x" * 900 + " old " + "y" * 900)

    answer = sent(operator, f"sku,description\nA,{'x' * 900} new {'y' * 900}\n")
    ((_, _, before, after),) = operator.get(answer["Location"]).context["panels"][0].rows

    assert (before[0], before[-1], " old " in before, " new " in after) == ("…", "…", True, True)
    assert max(len(before), len(after)) < 130


# --- Who may --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_whoever_may_look_may_export_and_only_keepers_import(sign_in, client, db) -> None:
    support, operator = sign_in("support"), sign_in("operator")

    assert exported(support).startswith("sku,name")
    page = support.get(PRODUCTS).content.decode()
    assert (f"{PRODUCTS}export/" in page, f"{PRODUCTS}import/" in page) == (True, False)
    assert f"{PRODUCTS}import/" in operator.get(PRODUCTS).content.decode()
    assert (support.get(f"{PRODUCTS}import/").status_code, sent(support, "sku\nA\n").status_code) == (403, 403)
    for address in (f"{PRODUCTS}import/", f"{PRODUCTS}export/"):
        assert client.get(address)["Location"] == f"/admin/login/?next={address}"
    page = operator.get(f"{PRODUCTS}import/").content.decode()
    for words in ("5,000 lines", "2 MiB", "UTF-8", "5,000 characters", "at most 200", "Restock"):
        assert words in page


@pytest.mark.django_db
def test_a_file_from_another_site_is_refused(sign_in, db) -> None:
    operator = sign_in("operator")
    operator.handler.enforce_csrf_checks = True

    assert sent(operator, "sku,name,price\nN,New,1\n").status_code == 403
    assert CatalogueImport.objects.using("inventory").count() == 0
