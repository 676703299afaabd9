"""The replay's page shows each invoice once, and the numbers that the table has."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from xml.etree import ElementTree

import pytest

from config.retail.history import Invoice
from config.retail.page import NOT_TRIED, Account, bars, page


def invoice(number: str, day: date) -> Invoice:
    return Invoice(number=number, customer="1", at=datetime.combine(day, time(9)))


DAYS = [invoice("a", date(2010, 12, 1)), invoice("b", date(2010, 12, 1)), invoice("c", date(2010, 12, 3))]


def counted(found) -> dict[str, dict[str, int]]:
    return {f"{bar.since}": dict(bar.outcomes) for bar in found}


def test_each_invoice_is_in_the_bar_of_its_day_and_a_day_without_one_is_shown_empty():
    assert counted(bars(DAYS, {"a": "placed", "b": "refused: out_of_stock"})) == {
        "2010-12-01": {"placed": 1, "refused: out_of_stock": 1},
        "2010-12-02": {},
        "2010-12-03": {NOT_TRIED: 1},
    }


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (date(2011, 2, 8), (70, "2010-12-01", "2011-02-08")),
        (date(2011, 2, 9), (11, "2010-11-29", "2011-02-07")),
        (date(2012, 6, 1), (19, "2010-12-01", "2012-06-01")),
    ],
    ids=["days", "weeks from Monday", "months"],
)
def test_a_long_history_has_a_bar_for_a_week_or_a_month(last, expected):
    found = bars([invoice("a", date(2010, 12, 1)), invoice("b", last)], {})

    assert (len(found), f"{found[0].since}", f"{found[-1].since}") == expected
    assert sum(bar.outcomes.total() for bar in found) == 2
    assert found[-1].outcomes == {NOT_TRIED: 1}


def test_the_page_has_the_tables_numbers_a_rectangle_for_each_part_of_a_bar_and_asks_for_nothing():
    accounts = [Account(name="placed <&>", rows="1,234", invoices="2", total="5.00")]
    text = page(
        file="sales.csv", at=datetime(2026, 1, 2, tzinfo=UTC), accounts=accounts, shown=bars(DAYS, {"a": "placed"})
    )

    for cell in ("placed &lt;&amp;&gt;", "1,234", "2", "5.00"):
        assert f"<td>{cell}</td>" in text
    picture = ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])
    titles = [title.text for title in picture.iter("title")]
    assert titles == ["2010-12-01: 1 placed", f"2010-12-01: 1 {NOT_TRIED}", f"2010-12-03: 1 {NOT_TRIED}"]
    heights = [float(shape.attrib["height"]) for shape in picture.iter("rect")]
    assert heights == [142.0, 142.0, 142.0]
    assert "http" not in text.lower().replace("over http", "")


def test_a_history_without_a_sale_has_a_page_all_the_same():
    assert bars([], {}) == []
    assert "There is no sale invoice in it." in page(file="x", at=datetime.now(UTC), accounts=[], shown=[])
