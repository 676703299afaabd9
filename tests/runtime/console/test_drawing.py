"""The picture of a topology: arrows end where they lead, do not lie over one another, and show whether they cross."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from config.whereabouts import calls_of_domains, events_of_domains
from runtime.console.drawing import Arrow, Node, Picture, Tie, draw

TIES = [
    *(Tie(kind="call", source=source, target=target) for source, target in sorted(calls_of_domains())),
    *(Tie(kind="event", source=source, target=target) for source, target in sorted(events_of_domains())),
]
TOPOLOGIES = ("users,inventory,payments,orders", "users|inventory|payments|orders", "orders|payments|users,inventory")


def drawn(topology: str, ties: list[Tie] = TIES) -> Picture:
    groups = [(group, [Node(name=name) for name in group.split(",")]) for group in topology.split("|")]
    return draw(groups, ties)


def points(arrow: Arrow) -> tuple[float, float, float, float, float]:
    """Where it begins, its lane, and where it ends."""
    found = re.fullmatch(r"M (\S+) (\S+) H (\S+) V (\S+) H (\S+)", arrow.path)
    assert found
    left, begin, lane, end, base = map(float, found.groups())
    return left, begin, lane, end, base


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_each_arrow_leads_from_its_box_to_its_box(topology: str) -> None:
    picture = drawn(topology)
    boxes = {box.node.name: box for box in picture.boxes}

    assert len(picture.arrows) == len(TIES)
    for arrow in picture.arrows:
        left, begin, lane, end, base = points(arrow)
        source, target = boxes[arrow.tie.source], boxes[arrow.tie.target]
        assert source.top < begin < source.top + source.height
        assert target.top < end < target.top + target.height
        side = 1 if arrow.tie.kind == "call" else -1
        assert left == target.left + (target.width if side == 1 else 0)
        assert arrow.head.startswith(f"{left:g},{end:g} ")
        assert side * (lane - base) > 0
        assert 0 < lane < picture.width


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_no_two_arrows_lie_over_one_another_and_no_two_boxes_do(topology: str) -> None:
    picture = drawn(topology)

    for one, other in combinations(map(points, picture.arrows), 2):
        apart = max(one[1], one[3]) < min(other[1], other[3]) or max(other[1], other[3]) < min(one[1], one[3])
        assert one[2] != other[2] or apart
        if one[0] == other[0]:
            assert len({one[1], one[3], other[1], other[3]}) == 4
    for above, below in zip(picture.boxes, picture.boxes[1:], strict=False):
        assert above.top + above.height < below.top
    for upper, lower in zip(picture.frames, picture.frames[1:], strict=False):
        assert upper.top + upper.height < lower.top
    assert picture.frames[-1].top + picture.frames[-1].height <= picture.height


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_what_leaves_a_group_goes_through_its_frame_and_round_outside_and_nothing_else_does(topology: str) -> None:
    picture = drawn(topology)
    home = {name: group for group in topology.split("|") for name in group.split(",")}
    frame = picture.frames[0]

    for arrow in picture.arrows:
        crosses = home[arrow.tie.source] != home[arrow.tie.target]
        lane = points(arrow)[2]
        assert arrow.crosses is crosses
        assert (frame.left < lane < frame.left + frame.width) is not crosses
        assert [at for _, at in arrow.gates] == ([points(arrow)[1], points(arrow)[3]] if crosses else [])


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_it_is_as_wide_as_a_telephone(topology: str) -> None:
    assert drawn(topology).width < 390


def test_the_more_the_thicker_within_bounds() -> None:
    ties = [Tie(kind="call", source="orders", target=name, rate=rate) for name, rate in
            (("users", 0.0), ("inventory", 100.0), ("payments", 1e9))]  # fmt: skip
    widths = [arrow.width for arrow in drawn(TOPOLOGIES[0], ties).arrows]

    assert widths == sorted(widths)
    assert (widths[0], widths[-1]) == (1.25, 4.5)


def test_words_stand_at_the_beginning_above_and_below_the_line() -> None:
    ties = [Tie(kind="event", source="users", target="orders", words=("3/min", "1 failed"))]
    (arrow,) = drawn(TOPOLOGIES[1], ties).arrows
    above, below = arrow.words

    assert (above.text, below.text, above.anchor) == ("3/min", "1 failed", "end")
    assert above.line < points(arrow)[1] < below.line
