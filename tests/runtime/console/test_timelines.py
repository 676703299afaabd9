"""A story as a picture: a row for each moment, a mark in its lane, and how much time went by."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.template.loader import render_to_string

from runtime.console.timelines import Kind, Lane, Moment, later, timeline

START = datetime(2026, 3, 1, 23, 59, 58, tzinfo=UTC)
LANES = (Lane(title="Shelf"), Lane(title="Till"), Lane(title="Post"))


def moment(lane: str, seconds: float | None, kind: Kind = Kind.DONE, **more: str) -> Moment:
    at = None if seconds is None else START + timedelta(seconds=seconds)
    return Moment(at=at, lane=lane, kind=kind, words=f"{lane} {seconds}.", **more)


STORY = [
    moment("Till", 90.0, Kind.FAILED),
    moment("Shelf", 0.0),
    moment("Till", None, Kind.OPEN, address="/somewhere/"),
    moment("Till", 1.0, Kind.OPEN),
    moment("Shelf", 90.5, Kind.UNDONE),
]


def test_moments_stand_in_order_of_time_and_what_is_so_now_comes_last() -> None:
    rows = timeline("Story", LANES, STORY).rows

    assert [row.moment.words for row in rows] == ["Shelf 0.0.", "Till 1.0.", "Till 90.0.", "Shelf 90.5.", "Till None."]
    assert [row.time for row in rows] == ["23:59:58", "23:59:59", "00:01:28", "00:01:28", "now"]
    assert [row.day for row in rows] == ["2026-03-01", "", "2026-03-02", "", ""]
    assert [row.gap for row in rows] == ["", "", "1 min 29 s later", "", ""]


def test_times_are_those_of_utc_wherever_they_were_noted() -> None:
    told = replace(moment("Shelf", 0.0), at=START.astimezone(timezone(timedelta(hours=5))))
    (row,) = timeline("Story", LANES, [told]).rows

    assert (row.day, row.time) == ("2026-03-01", "23:59:58")


def test_a_lanes_line_goes_from_its_first_mark_to_its_last() -> None:
    rows = timeline("Story", LANES, STORY).rows

    assert [tuple(row.cells) for row in rows] == [
        ("mark first", "", ""),
        ("through", "mark first", ""),
        ("through", "mark", ""),
        ("mark last", "through", ""),
        ("", "mark last", ""),
    ]
    assert [tuple(row.passed) for row in rows][2] == ("through", "through", "")
    assert timeline("Story", LANES, STORY[:1]).rows[0].cells == ["", "mark first last", ""]


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (timedelta(seconds=1.5), "1 s later"),
        (timedelta(minutes=1), "1 min later"),
        (timedelta(hours=3, minutes=12, seconds=59), "3 h 12 min later"),
        (timedelta(hours=3, seconds=59), "3 h later"),
        (timedelta(days=40, hours=1, minutes=5), "40 d 1 h later"),
    ],
)
def test_a_gap_is_told_in_its_two_largest_units(gap: timedelta, words: str) -> None:
    assert later(gap) == words


def test_every_mark_has_a_name_and_a_sign_of_its_own_and_the_words_are_no_html() -> None:
    lanes = (*LANES, Lane(title="Away", trouble="Nobody answers <here>."))
    told = [moment("Post", 0.0, kind) for kind in Kind]
    panel = timeline("Story", lanes, [*told, moment("Post", 1.0, mark="<b>late</b>", aside="<i>")])
    page = render_to_string("console/timeline.html", {"panel": panel})

    for kind in Kind:
        assert f'class="console-mark console-mark-{kind}" role="img" aria-label="{kind.named}"' in page
    assert len({kind.named for kind in Kind}) == len(Kind)
    assert page.count('aria-label="not asked"') == 1
    assert "Nobody answers &lt;here&gt;." in page
    assert "&lt;b&gt;late&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "<i>" not in page
    for lane in lanes:
        assert f"<span>{lane.title}</span>" in page


def test_of_nothing_it_says_that_nothing_is_known() -> None:
    panel = timeline("Story", LANES, [])

    assert (panel.rows, "Nothing is known of it." in render_to_string("console/timeline.html", {"panel": panel})) == (
        [],
        True,
    )
