"""A sales history is read as it is: every row is part of a sale, or left out for a reason that has a name."""

from __future__ import annotations

import lzma
from collections import Counter
from decimal import Decimal
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest

from config.retail.history import COLUMNS, NotASalesHistory, customer_id, read
from config.retail.replay import BEFORE, PLACED, Journal, Result, order_of, summary

HEADER = ",".join(COLUMNS)
SALE = "536365,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom"


def written(folder: Path, *rows: str, name: str = "history.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


DIRTY = [
    ("cancellation", "C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527,United Kingdom"),
    ("cancellation", "C536380,85123A,WHITE HEART,-6,2010-12-01 09:41:00,2.55,,United Kingdom"),
    ("bookkeeping entry", "A563185,B,Adjust bad debt,1,2010-12-01 10:00:00,11062.06,,United Kingdom"),
    ("bookkeeping entry", ",85123A,X,1,2010-12-01 10:00:00,1.00,17850,United Kingdom"),
    ("write-off", "536589,21777,,-10,2010-12-01 16:50:00,0.00,,United Kingdom"),
    ("write-off", "536589,21777,,0,2010-12-01 16:50:00,1.00,17850,United Kingdom"),
    ("anonymous sale", "536544,21773,DECORATIVE ROSE,1,2010-12-01 14:32:00,2.51,,United Kingdom"),
    ("postage or fee", "536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.00,12583,France"),
    ("postage or fee", "536371,BANK CHARGES,,1,2010-12-01 08:45:00,15.00,12583,France"),
    ("postage or fee", "536372,1234,FOUR DIGITS,1,2010-12-01 08:45:00,1.00,12583,France"),
    ("postage or fee", "536373,85123ABC,THREE LETTERS,1,2010-12-01 08:45:00,1.00,12583,France"),
    ("free goods", "537197,22841,ROUND CAKE TIN,1,2010-12-05 14:02:00,0.00,12647,Germany"),
    ("free goods", "537198,22841,ROUND CAKE TIN,1,2010-12-05 14:02:00,-1.50,12647,Germany"),
]


@pytest.mark.parametrize(("reason", "row"), DIRTY)
def test_a_row_that_is_no_sale_is_left_out_under_its_reason(tmp_path, reason, row):
    history = read(written(tmp_path, SALE, row))

    assert history.left_out == {reason: 1}
    assert (history.row_count, len(history.invoices), len(history.invoices[0].rows)) == (2, 1, 1)


def test_every_row_is_accounted_for(tmp_path):
    history = read(written(tmp_path, SALE, *[row for _, row in DIRTY], SALE))

    assert history.left_out == Counter(reason for reason, _ in DIRTY)
    assert sum(len(invoice.rows) for invoice in history.invoices) + sum(history.left_out.values()) == history.row_count


def test_rows_of_one_invoice_are_one_sale_in_the_files_order_also_when_others_stand_between(tmp_path):
    history = read(
        written(
            tmp_path,
            SALE,
            "536366,22633,HAND WARMER,2,2010-12-01 08:28:00,1.85,13047,United Kingdom",
            "536365,85123A,  WHITE   HEART ,1,2010-12-01 08:26:00,2.10,17850,United Kingdom",
        )
    )

    first, second = history.invoices
    assert (first.number, first.customer, first.total, second.total) == (
        "536365",
        "17850",
        Decimal("17.40"),
        Decimal("3.70"),
    )
    assert [(row.sku, row.quantity, row.description) for row in first.rows] == [
        ("85123A", 6, "WHITE HEART"),
        ("85123A", 1, "WHITE HEART"),
    ]
    assert history.units_sold() == {"85123A": 7, "22633": 2}
    assert history.customers == ["13047", "17850"]


def test_a_product_has_the_name_and_price_that_most_of_its_rows_say(tmp_path):
    def row(invoice: int, description: str, price: str) -> str:
        return f"{invoice},22633,{description},1,2010-12-01 08:28:00,{price},13047,United Kingdom"

    rows = [row(1, "HAND WARMER", "1.85"), row(2, "WARMER", "1.85"), row(3, "HAND WARMER", "2.10"), row(4, "", "9.99")]

    assert read(written(tmp_path, *rows)).products() == {"22633": ("HAND WARMER", Decimal("1.85"))}


def test_a_product_without_any_description_is_named_by_its_sku(tmp_path):
    history = read(written(tmp_path, "1,22633,,1,2010-12-01 08:28:00,1.85,13047,France"))

    assert history.products() == {"22633": ("22633", Decimal("1.85"))}


def test_a_compressed_file_is_read_like_a_plain_one_and_each_has_its_digest(tmp_path):
    plain = written(tmp_path, SALE, DIRTY[0][1])
    packed = tmp_path / "history.csv.xz"
    packed.write_bytes(lzma.compress(plain.read_bytes()))

    one, other = read(plain), read(packed)

    assert (one.invoices, one.left_out, one.row_count) == (other.invoices, other.left_out, other.row_count)
    assert one.digest != other.digest
    assert one.digest == read(plain).digest


def test_a_customer_is_the_same_user_in_every_file():
    assert customer_id("17850") == uuid5(NAMESPACE_URL, "online-retail:17850")


NOT_A_HISTORY = {
    "empty": b"",
    "other columns": b"a,b,c\n1,2,3\n",
    "a column too few": HEADER.rpartition(",")[0].encode() + b"\n",
    "no number": f"{HEADER}\n536365,85123A,X,many,2010-12-01 08:26:00,2.55,17850,UK\n".encode(),
    "no price": f"{HEADER}\n536365,85123A,X,6,2010-12-01 08:26:00,cheap,17850,UK\n".encode(),
    "not a number at all": f"{HEADER}\n536365,85123A,X,6,2010-12-01 08:26:00,NaN,17850,UK\n".encode(),
    "no time": f"{HEADER}\n536365,85123A,X,6,yesterday,2.55,17850,UK\n".encode(),
    "cut off": f"{HEADER}\n{SALE}\n536366,8512".encode(),
    "cut off in a customer": f"{HEADER}\n{SALE}\n536366,85123A,X,6,2010-12-01 08:26:00,2.55,178".encode(),
    "a column too many": f"{HEADER}\n{SALE},more\n".encode(),
    "not utf-8": f"{HEADER}\n".encode() + SALE.encode().replace(b"WHITE", b"\xff\xfe") + b"\n",
    "a very long field": f"{HEADER}\n536365,85123A,{'x' * 200_000},6,2010-12-01 08:26:00,2.55,1,UK\n".encode(),
}


@pytest.mark.parametrize("name", NOT_A_HISTORY)
def test_what_is_no_sales_history_is_refused_with_the_file_and_where_it_broke(tmp_path, name):
    path = tmp_path / "file.csv"
    path.write_bytes(NOT_A_HISTORY[name])

    with pytest.raises(NotASalesHistory) as refused:
        read(path)

    assert str(path) in str(refused.value)


@pytest.mark.parametrize("content", [b"no archive", lzma.compress(f"{HEADER}\n{SALE}\n".encode())[:-20]])
def test_an_archive_that_is_none_or_was_cut_off_is_refused(tmp_path, content):
    path = tmp_path / "file.csv.xz"
    path.write_bytes(content)

    with pytest.raises(NotASalesHistory):
        read(path)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(OSError):
        read(tmp_path / "nothing.csv")


# --- What a replay makes of it --------------------------------------------------------------------------------------


def test_an_invoice_becomes_an_order_on_behalf_of_its_customer_at_the_prices_of_its_time(tmp_path):
    (invoice,) = read(written(tmp_path, SALE)).invoices

    assert order_of(invoice, "GBP") == {
        "onBehalfOf": str(customer_id("17850")),
        "paymentMethod": "pm_card_visa",
        "items": [{"sku": "85123A", "quantity": 6, "unitPrice": {"amount": "2.55", "currency": "GBP"}}],
    }


def test_a_journal_remembers_what_was_placed(tmp_path):
    journal = Journal(tmp_path / "deep" / "journal.jsonl")
    journal.write("536365", Decimal("15.30"))
    journal.write("536366", Decimal("3.70"))
    journal.close()

    assert Journal(tmp_path / "deep" / "journal.jsonl").placed == {
        "536365": Decimal("15.30"),
        "536366": Decimal("3.70"),
    }


@pytest.mark.parametrize("cut", range(1, 46))
def test_a_journal_whose_last_line_was_cut_off_anywhere_keeps_all_others_and_takes_new_ones(tmp_path, cut):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.write("536365", Decimal("15.30"))
    journal.write("536366", Decimal("3.70"))
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])

    again = Journal(path)
    kept = dict(again.placed)
    again.write("536367", Decimal("1.00"))
    again.close()

    whole = '{"invoice": "536366", "total": "3.70"}'
    assert kept == {"536365": Decimal("15.30")} or (cut >= len(whole) + 1 and not kept)
    assert Journal(path).placed == {**kept, "536367": Decimal("1.00")}


def test_a_journal_with_nonsense_in_it_forgets_the_nonsense_only(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text('\x00\x00\n[]\n{"invoice": "1"}\n{"invoice": "2", "total": "x"}\n{"invoice": "3", "total": "4.00"}')

    assert Journal(path).placed == {"3": Decimal("4.00")}


def test_the_table_sums_rows_invoices_and_money_by_what_became_of_them():
    def result(outcome: str, rows: int, total: str) -> Result:
        return Result(invoice="x", outcome=outcome, rows=rows, total=Decimal(total))

    found = summary(
        [
            result(PLACED, 3, "10.00"),
            result(PLACED, 1, "0.50"),
            result(BEFORE, 2, "5.00"),
            result("out_of_stock", 7, "0"),
        ]
    )

    assert found == {
        PLACED: (4, 2, Decimal("10.50")),
        BEFORE: (2, 1, Decimal("5.00")),
        "out_of_stock": (7, 1, Decimal(0)),
    }
