"""Files of products that are not taken, line by line; and those that are, once, and never on top of somebody else's."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from apps.inventory import catalogue
from apps.inventory.models import CatalogueImport, Product, Stock
from apps.inventory.service import SERVICE
from runtime.audit.models import AuditEntry
from runtime.databases.clock import database_time
from tests.inventory.catalogue_files import PRODUCTS, plain, product, sent, wrong
from tests.together import together

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
