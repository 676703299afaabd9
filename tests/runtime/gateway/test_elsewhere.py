"""While nobody of a group is ready, another group answers for it: where the description says so, and nowhere else."""

from __future__ import annotations

import pytest

from runtime.gateway.site import Group, Route
from tests.runtime.gateway.doors import Backend, Door, site_of
from tests.together import wait_until

PAGES = ("/admin/parcels/list", "/files/a.css")


@pytest.fixture(scope="module")
def shared_door(folder, groups: tuple[Group, ...], keys, started) -> Door:
    routes = (
        Route(path="/api/people", domain="people"),
        Route(path="/api/parcels", domain="parcels"),
        Route(path="/files", domain="parcels", elsewhere=True),
        Route(path="/files/own", domain="parcels"),
        Route(path="/admin/parcels", domain="parcels", elsewhere=True),
    )
    found: Door = started(Door, site_of(folder / "elsewhere", groups, keys, routes=routes))
    found.await_ready()
    return found


@pytest.fixture
def parcels_away(door: Door, parcels: Backend):
    parcels.is_ready(False)
    wait_until(lambda: door.send("GET", "/health/ready").status == 503)
    yield
    parcels.is_ready(True)
    door.await_ready()


def test_as_long_as_it_is_ready_its_own_group_answers(door, people, parcels):
    for path in (*PAGES, "/files/own/b.css"):
        assert door.send("GET", path).status == 200

    assert [one["path"] for one in parcels.arrived] == [*PAGES, "/files/own/b.css"]
    assert people.arrived == []


def test_while_it_is_away_another_group_answers_where_it_may(door, people, parcels, parcels_away):
    for path in PAGES:
        assert door.send("GET", path).status == 200
    assert door.send("POST", "/admin/parcels/7/send", body=b"{}").status == 200

    assert [one["path"] for one in people.arrived] == [*PAGES, "/admin/parcels/7/send"]
    assert parcels.arrived == []
    assert [line["group"] for line in door.log if line["path"] in PAGES][-2:] == ["people+things"] * 2


def test_while_it_is_away_nobody_else_is_asked_for_the_rest(door, people, parcels, parcels_away):
    for path in ("/api/parcels", "/files/own/b.css"):
        answer = door.send("GET", path)
        assert (answer.status, answer.json["code"]) == (503, "parcels_unavailable")

    assert people.arrived == parcels.arrived == []


def test_where_all_are_away_nobody_answers(door, people, parcels, parcels_away):
    people.is_ready(False)
    try:
        wait_until(lambda: door.send("GET", "/files/a.css").status == 503)
        assert door.send("GET", "/files/a.css").json["code"] == "parcels_unavailable"
    finally:
        people.is_ready(True)


def test_when_it_is_back_it_answers_itself_again(door, people, parcels, parcels_away):
    assert door.send("GET", "/files/a.css").status == 200
    parcels.is_ready(True)
    door.await_ready()

    assert door.send("GET", "/files/a.css").status == 200

    assert (len(people.arrived), len(parcels.arrived)) == (1, 1)
