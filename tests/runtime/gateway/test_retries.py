"""What is sent again, and what is not: a request that may have been carried out is sent once."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from runtime.embedded.launch import free_port
from runtime.gateway.site import Group, Server
from tests.runtime.gateway.doors import Backend, Door, send, site_of
from tests.together import wait_until


@pytest.fixture(scope="module")
def impatient(folder, keys, people, started) -> Door:
    """A gateway that waits for a second."""
    group, metrics = Group(domains=("people",), servers=(people.server,)), f"127.0.0.1:{free_port()}"
    site = site_of(folder / "impatient", (group,), keys, answer_within=1, metrics=metrics)
    found: Door = started(Door, site)
    return found


@pytest.mark.parametrize(("method", "times"), [("GET", 4), ("HEAD", 4), ("POST", 1), ("PATCH", 1), ("DELETE", 1)])
def test_a_lost_answer_is_asked_for_again_only_where_nothing_changes(impatient, people, method, times):
    people.forget()
    answer = impatient.send(method, "/api/people/gone", body=b"{}" if method in ("POST", "PATCH") else None)

    assert answer.status == 502
    assert [one["method"] for one in people.arrived] == [method] * times
    if method != "HEAD":
        assert answer.json["code"] == "bad_gateway"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_that_takes_too_long_is_a_504_and_is_not_asked_for_again(impatient, people, method):
    people.forget()
    answer = impatient.send(method, "/api/people/slow/2.5", body=b"{}" if method == "POST" else None)

    assert (answer.status, answer.json["code"]) == (504, "gateway_timeout")
    assert len(people.arrived) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_processs_own_errors_are_passed_on_as_they_are(impatient, people, status):
    people.forget()
    answer = impatient.send("GET", f"/api/people/status/{status}")

    assert (answer.status, answer.json) == (status, {"port": people.port})
    assert len(people.arrived) == 1


def test_a_refused_connection_has_carried_nothing_so_anything_is_sent_to_the_next_server(folder, keys, started):
    """Between two probes nobody knows yet that a server is gone."""
    stays, goes = started(Backend, folder, "stays"), started(Backend, folder, "goes")
    pair = Group(domains=("people",), servers=(stays.server, goes.server))
    door = started(Door, site_of(folder / "pair", (pair,), keys))
    goes.stop()
    answers = [door.send("POST", "/api/people", body=str(number).encode()).status for number in range(8)]

    assert answers == [200] * 8
    assert [one["body"] for one in stays.arrived] == [str(number) for number in range(8)]
    assert goes.arrived == []
    goes.start()


def test_nobody_behind_is_a_503_until_somebody_is(folder, keys, started):
    port = free_port()
    group = Group(domains=("people",), servers=(Server(host="127.0.0.1", port=port),))
    door = started(Door, site_of(folder / "nobody", (group,), keys))
    wait_until(lambda: door.send("GET", "/api/people").status == 503)
    assert door.send("GET", "/health/ready").status == 503

    late = started(Backend, folder, "late", port=port)
    wait_until(lambda: door.send("GET", "/health/ready").status == 200)
    assert door.send("POST", "/api/people", body=b"{}").status == 200
    assert len(late.arrived) == 1


def test_a_group_that_stalls_takes_nothing_from_its_neighbours_and_is_found_out(folder, groups, keys, started, parcels):
    door = started(Door, site_of(folder / "stalled", groups, keys))
    door.await_ready()
    parcels.process.send_signal(signal.SIGSTOP)
    try:
        waiting = [threading.Thread(target=door.send, args=("GET", "/api/parcels")) for _ in range(20)]
        for thread in waiting:
            thread.start()
        began = time.monotonic()
        assert [door.send("GET", "/api/people").status for _ in range(20)] == [200] * 20
        assert time.monotonic() - began < 5
        wait_until(lambda: door.send("GET", "/health/ready").status == 503, limit=30)
        assert door.send("GET", "/api/parcels").json["code"] == "parcels_unavailable"
    finally:
        parcels.process.send_signal(signal.SIGCONT)
    wait_until(lambda: door.send("GET", "/api/parcels").status == 200)
    for thread in waiting:
        thread.join(30)


def test_its_own_figures_are_on_a_port_of_their_own(impatient):
    port = int(str(impatient.site.metrics).rpartition(":")[2])
    answer = send(port, "GET", "/metrics")

    assert (answer.status, answer["Content-Type"]) == (200, "text/plain; version=0.0.4")
    assert b'haproxy_backend_active_servers{proxy="people"} 1' in answer.data
    assert send(port, "GET", "/health/live").status == 404
    assert impatient.send("GET", "/metrics").status == 404


def test_it_is_not_ready_before_everybody_was_asked(folder, groups, keys, started, parcels):
    """A process whose socket is held for it takes connections before it can answer any."""
    parcels.process.send_signal(signal.SIGSTOP)
    try:
        door = started(Door, site_of(folder / "early", groups, keys))
        answers = []

        def told() -> str:
            answers.append(door.send("GET", "/health/ready"))
            return str(answers[-1].json["checks"]["parcels"]["error"])

        wait_until(lambda: told() == "No process is ready." and time.monotonic() > door.started + 7, limit=30)
    finally:
        parcels.process.send_signal(signal.SIGCONT)

    assert {answer.status for answer in answers} == {503}
    assert answers[0].json["checks"]["people+things"]["status"] == "unhealthy"
    door.await_ready()
