"""The catalogue as a file: what goes out comes in again and changes nothing, and what is wrong is said line by line."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import HttpResponse

from apps.inventory import catalogue
from apps.inventory.models import CatalogueImport, Product, Stock
from apps.inventory.service import SERVICE
from runtime.audit.models import AuditEntry
from runtime.console import exporting
from runtime.databases.clock import database_time
from tests.operators import Operator
from tests.together import together

PRODUCTS = "/admin/inventory/product/"
HEADER = "sku,name,description,price,currency,active"


def exported(operator: Operator, **query: str) -> str:
    answer = operator.get(f"{PRODUCTS}export/", query)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def sent(operator: Operator, text: str | bytes, name: str = "products.csv") -> HttpResponse:
    data = text if isinstance(text, bytes) else text.encode()
    return operator.post(f"{PRODUCTS}import/", {"file": SimpleUploadedFile(name, data, "text/csv")})


def wrong(answer: HttpResponse) -> list[tuple[object, ...]]:
    """Line, column and reason of all that the page names."""
    assert answer.status_code == 422, answer.content.decode()
    assert CatalogueImport.objects.using("inventory").count() == 0
    (panel, *_) = answer.context["checked"].panels
    assert panel.title == "What is wrong"
    return [tuple(row) for row in panel.rows]


def brought(operator: Operator, text: str, **more: str) -> HttpResponse:
    """Checked, looked at, and done."""
    answer = sent(operator, text)
    assert answer.status_code == 302, wrong(answer)
    return operator.act(answer["Location"], reason="The season.", **more)


def product(sku: str) -> tuple[str, str, str, bool]:
    row = Product.objects.using("inventory").get(pk=sku)
    return row.name, row.description, str(row.price), row.active


def plain(shelf, sku: str, **fields: object) -> None:
    shelf.product(sku, stock=3)
    Product.objects.using("inventory").filter(pk=sku).update(**fields)


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


# --- Refused --------------------------------------------------------------------------------------------------------

_AMOUNT = "is not an amount with at most two decimals, as in 12.50"
_SKU = "is not 1 to 64 letters, digits, dots, dashes or underscores"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("sku,name,price\nN,New,1.005\n", [(2, "price", f"'1.005' {_AMOUNT}")]),
        ("sku,name,price\nN,New,£5\n", [(2, "price", f"'£5' {_AMOUNT}")]),
        ('sku,name,price\nN,New,"1,50"\n', [(2, "price", f"'1,50' {_AMOUNT}")]),
        ("sku,name,price\nN,New,0\n", [(2, "price", "is less than 0.01")]),
        ("sku,name,price\nN,New,-1\n", [(2, "price", "is less than 0.01")]),
        ("sku,name,price\nN,New,\n", [(2, "price", f"'' {_AMOUNT}")]),
        (f"sku,price\nA,{'9' * 17}\n", [(2, "price", f"'{'9' * 17}' {_AMOUNT}")]),
        ("sku,name,price,currency\nN,New,1,EUR\n", [(2, "currency", "'EUR' is not GBP, the shop's currency")]),
        ("sku,currency\nE,GBP\n", [(2, "currency", "is EUR there, which no file changes")]),
        ("sku,price\nE,12\n", [(2, "currency", "is EUR there, which no file changes")]),
        ("sku,name,price\na b,New,1\n", [(2, "sku", f"'a b' {_SKU}")]),
        ("sku,name,price\n" + "x" * 65 + ",New,1\n", [(2, "sku", f"'{'x' * 40}' {_SKU}")]),
        ("sku,name,price\n\0,New,1\n", [(2, "sku", f"'\\x00' {_SKU}")]),
        ("sku,name,price\n,New,1\n", [(2, "sku", f"'' {_SKU}")]),
        ("sku,name,price\nN,New,1\nA,Tea,2\nN,Newer,1\n", [(4, "sku", "N stands in line 2 already")]),
        ("sku,name\nN,New\n", [(2, "price", "is missing, and the product is new")]),
        ("sku,name\nA, \n", [(2, "name", "is empty")]),
        ("sku,name\nA," + "x" * 201 + "\n", [(2, "name", "has 201 characters, and 200 are the most")]),
        ('sku,name\nA,"a\nb"\n', [(2, "name", "has a control character or a line break in it")]),
        ("sku,description\nA,\x07\n", [(2, "description", "has a control character or a line break in it")]),
        (
            "sku,description\nA," + "x" * 5001 + "\n",
            [(2, "description", "has 5,001 characters, and 5,000 are the most")],
        ),
        ("sku,active\nA,maybe\n", [(2, "active", "'maybe' is neither true nor false")]),
        ("sku,name\nA,b,c\n", [(2, "", "has 3 cells, the first line has 2")]),
        ("sku,sku\nA,A\n", [(1, "sku", "stands here twice")]),
        ("name,price\nA,1\n", [(1, "sku", "is missing")]),
        ("", [(1, "", "is empty: it names the columns")]),
        (b"sku,name\nA,\xe4\n", [(2, "", "is not UTF-8: save the file as CSV UTF-8")]),
        ('sku,name\nA,"b\n', [(2, "", "cannot be read: unexpected end of data")]),
        ('sku,description\nA,"x\ny"\n\nE,"d" e\n', [(5, "", "cannot be read: ',' expected after '\"'")]),
    ],
    ids=str,
)
def test_each_bad_line_is_named_with_its_column_and_why(text, faults, shelf) -> None:
    plain(shelf, "A", name="Tea"), plain(shelf, "E", price_currency="EUR")

    plan = catalogue.check(text.encode() if isinstance(text, str) else text)

    assert [(fault.line, fault.column, fault.why) for fault in plan.faults] == faults


@pytest.mark.django_db
def test_an_unknown_column_is_named_with_those_there_are(sign_in, db) -> None:
    (first, second) = wrong(sent(sign_in("operator"), "sku;name;price\nA;b;1\n"))

    assert first[:2] == (1, "sku;name;price")
    assert str(first[2]).startswith("is no column: the columns are sku, name, description")
    assert str(first[2]).endswith("with commas between them")
    assert second == (1, "sku", "is missing")


@pytest.mark.django_db
def test_a_file_that_is_too_large_or_too_long_is_not_taken(sign_in, db) -> None:
    operator = sign_in("operator")
    longest = "sku,name,price\n" + "".join(f"N{at},x,1\n" for at in range(5_000))

    long = sent(operator, longest + "M,x,1\n")
    large = sent(operator, b"x" * (2 * 1024 * 1024 + 1))
    none = operator.post(f"{PRODUCTS}import/")
    empty = sent(operator, b"")

    assert wrong(long) == [(5_002, "", "is one more than 5,000: split the file")]
    assert [answer.status_code for answer in (large, none, empty)] == [422] * 3
    assert large.context["form"].errors["file"] == ["The file has more than 2,097,152 bytes: split it."]
    assert sent(operator, longest).status_code == 302


@pytest.mark.django_db
def test_where_one_line_is_bad_no_line_is_brought_in_and_the_good_ones_are_counted(sign_in, shelf) -> None:
    plain(shelf, "A", name="Tea"), plain(shelf, "B", name="Cup")

    answer = sent(sign_in("operator"), "sku,name,price\nA,Other,10\nB,Cup,10\nN,New,1\nM,New,x\n")

    assert wrong(answer) == [(5, "price", f"'x' {_AMOUNT}")]
    assert "Of the lines that are good, 1 new, 1 changed, 1 unchanged." in answer.content.decode()
    assert product("A")[0] == "Tea"


# --- Once, and not on top of others -----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("meanwhile", ["changed", "added"])
def test_what_somebody_else_changed_meanwhile_is_refused_by_name_and_nothing_is_half_done(
    meanwhile, sign_in, shelf
) -> None:
    operator = sign_in("operator")
    plain(shelf, "A", name="Tea"), plain(shelf, "B", name="Cup")
    answer = sent(operator, "sku,name,price\nA,Other,10\nB,Mug,10\nN,New,1\n")
    if meanwhile == "changed":
        SERVICE.change_product(sku="B", changes={"description": "Somebody else's."})
    else:
        shelf.product("N")

    refused = operator.act(answer["Location"], reason="The season.")

    assert refused.status_code == 409
    name = "B" if meanwhile == "changed" else "N"
    assert "changed or added these products since" in refused.content.decode()
    assert f"[&#x27;{name}&#x27;]" in refused.content.decode()
    assert (product("A")[0], product("B")[0]) == ("Tea", "Cup")
    assert Product.objects.using("inventory").filter(pk="N", name="New").count() == 0
    assert AuditEntry.objects.using("inventory").count() == 0


def test_a_file_that_is_sent_many_times_at_once_is_brought_in_once(sign_in, shelf, committed) -> None:
    operator = sign_in("operator")
    address = sent(operator, "sku,name,price\nN,New,1\n")["Location"]
    form = {"reason": "The season.", "key": str(uuid4())}

    answers = together(*[lambda: operator.post(address, form)] * 5)
    again = operator.post(address, {**form, "key": str(uuid4())})

    assert {answer.status_code for answer in answers} == {302}
    assert again.status_code == 409
    assert "was brought in before" in again.content.decode()
    assert AuditEntry.objects.using("inventory").count() == 1
    assert Product.objects.using("inventory").count() == Stock.objects.using("inventory").count() == 1


def test_two_files_with_the_same_new_product_at_once_make_it_once_and_the_other_is_told(shelf, committed) -> None:
    data = b"sku,name,price\nN,New,1\nM,New,1\n"
    kept = [SERVICE.check_import(data=data, file="a.csv", by=uuid4())[1] for _ in range(4)]

    answers = together(*[lambda one=one: SERVICE.bring_in(key=str(one.id), import_id=one.id) for one in kept])

    assert sorted(type(answer).__name__ for answer in answers) == ["ChangedMeanwhile"] * 3 + ["NoneType"]
    refused = next(answer for answer in answers if answer is not None)
    assert refused.data == {"skus": ["M", "N"]}
    assert Product.objects.using("inventory").count() == 2


@pytest.mark.django_db
def test_five_thousand_products_are_made_and_changed(shelf) -> None:
    lines = [f"N{at},Name of {at},1" for at in range(5_000)]
    for price in ("1", "2"):
        data = "\n".join(["sku,name,price", *(f"{line.rpartition(',')[0]},{price}" for line in lines)]).encode()
        _, kept = SERVICE.check_import(data=data, file="all.csv", by=uuid4())
        assert kept is not None
        SERVICE.bring_in(key=price, import_id=kept.id)

    assert Product.objects.using("inventory").filter(price_amount=2).count() == 5_000


def test_no_order_waits_while_a_file_is_brought_in(shelf, committed) -> None:
    shelf.product("A", stock=3)
    plan = catalogue.check(b"sku,price\nA,7\n")

    with transaction.atomic(using="inventory"):
        catalogue.bring_in(plan.new, plan.changed)
        (reservation,) = together(lambda: shelf.reserve(A=1))

    assert (reservation.state, shelf.balances("A"), product("A")[2]) == ("held", (3, 1, 0), "7.00 GBP")


@pytest.mark.django_db
def test_a_check_is_forgotten_after_two_days_and_what_was_done_is_kept_for_longer(shelf) -> None:
    done, old, fresh = (
        SERVICE.check_import(data=f"sku,name,price\n{sku},New,1\n".encode(), file="a.csv", by=uuid4())[1]
        for sku in "ABC"
    )
    SERVICE.bring_in(key="k", import_id=done.id)
    past = database_time("inventory") - timedelta(days=3)
    CatalogueImport.objects.using("inventory").filter(pk__in=[done.pk, old.pk]).update(checked_at=past)

    assert SERVICE.prune_imports() is False

    kept: set[UUID] = set(CatalogueImport.objects.using("inventory").values_list("pk", flat=True))
    assert kept == {done.pk, fresh.pk}
    CatalogueImport.objects.using("inventory").update(done_at=database_time("inventory") - timedelta(days=91))
    SERVICE.prune_imports()
    assert CatalogueImport.objects.using("inventory").count() == 0


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
