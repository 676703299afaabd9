"""Tables as files: what is written is read again, no cell is a formula, and lines are counted as people count them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.codec.sheets import Fault, Row, harmless, line_of, meant, read

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# What a spreadsheet minds, often.
WORDS = st.text(st.sampled_from(["=", "+", "-", "@", "'", '"', ",", ";", "\t", "\r", "\n", "a", " ", "\uff1d", "é"]))
few = settings(max_examples=60, deadline=None)


@few
@given(WORDS)
def test_a_cell_that_was_made_harmless_means_what_it_was_and_begins_no_formula(text: str) -> None:
    assert meant(harmless(text)) == text
    assert not harmless(text).startswith(FORMULAS)


@few
@given(st.lists(st.tuples(WORDS, WORDS), max_size=5))
def test_what_is_written_is_read_again(table: list[tuple[str, str]]) -> None:
    data = "".join(map(line_of, [("a", "b"), *table])).encode()

    rows, faults = read(data, columns=("a", "b"), needed=(), most_rows=10)

    assert faults == []
    assert [(row.cells["a"], row.cells["b"]) for row in rows] == [cells for cells in table if any(cells)]


def test_a_row_knows_the_line_it_begins_in_whatever_line_breaks_there_are_before() -> None:
    data = b'\xef\xbb\xbfa,b\r\n\r\n"x\ny",1\r\nz,2'

    rows, faults = read(data, columns=("a", "b"), needed=("a",), most_rows=10)

    assert (rows, faults) == ([Row(line=3, cells={"a": "x\ny", "b": "1"}), Row(line=5, cells={"a": "z", "b": "2"})], [])


def test_reading_goes_on_after_a_line_of_the_wrong_length_and_ends_where_there_are_too_many() -> None:
    rows, faults = read(b"a,b\n1\n1,2\n3,4\n5,6\n7,8\n", columns=("a", "b"), needed=(), most_rows=2)

    assert [row.line for row in rows] == [3, 4]
    assert faults == [
        Fault(line=2, column="", why="has 1 cells, the first line has 2"),
        Fault(line=5, column="", why="is one more than 2: split the file"),
    ]


def test_a_cell_that_is_larger_than_any_should_be_is_a_fault_and_no_failure() -> None:
    rows, faults = read(b"a\n" + b"x" * 200_000, columns=("a",), needed=(), most_rows=2)

    assert (rows, [fault.line for fault in faults]) == ([], [2])
    assert faults[0].why.startswith("cannot be read: field larger than field limit")
