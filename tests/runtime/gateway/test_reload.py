"""A new description is taken over while requests come in, and an end that is asked for waits for what was begun."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from runtime.gateway.program import ConfigurationRefused, check
from runtime.gateway.site import Group, Route
from tests.runtime.gateway.doors import Backend, Door, send, site_of
from tests.together import wait_until


class Clients:
    """Some that keep their connection, and some that take a new one each time. They never try anything twice."""

    def __init__(self, port: int, path: str = "/api/people") -> None:
        self.outcomes: Counter[str] = Counter()
        self._port, self._path = port, path
        self._over = threading.Event()
        kinds = (self._keep, self._keep, self._renew, self._renew)
        self._threads = [threading.Thread(target=kind, daemon=True) for kind in kinds]

    @contextmanager
    def asking(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(30)

    def _keep(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._over.is_set():
            try:
                connection.request("POST", self._path, body=b"{}")
                answer = connection.getresponse()
                answer.read()
                self.outcomes[str(answer.status)] += 1
            except OSError as error:
                self.outcomes[type(error).__name__] += 1
                connection.close()
        connection.close()

    def _renew(self) -> None:
        while not self._over.is_set():
            try:
                self.outcomes[str(send(self._port, "POST", self._path, body=b"{}").status)] += 1
            except OSError as error:
                self.outcomes[type(error).__name__] += 1

    def await_more(self, number: int) -> None:
        wanted = self.outcomes.total() + number
        wait_until(lambda: self.outcomes.total() >= wanted, limit=60)


@pytest.fixture
def own(folder, groups, keys, started, request) -> Door:
    found: Door = started(Door, site_of(folder / request.node.name, groups, keys))
    return found


def test_no_request_is_lost_when_it_is_reloaded_under_load(own, people):
    people.forget()
    clients = Clients(own.port)
    with clients.asking():
        for number in range(5):
            clients.await_more(100)
            own.reload(replace(own.site, answer_within=20 + number))
            wait_until(lambda: own.log_file.read_text().count("Former worker") > number, limit=30)  # noqa: B023
        clients.await_more(100)

    assert set(clients.outcomes) == {"200"}
    assert clients.outcomes["200"] == len(people.arrived) >= 600


def test_a_request_that_is_under_way_is_answered_by_the_old_process(own, people):
    people.forget()
    answers = []
    asking = threading.Thread(target=lambda: answers.append(own.send("GET", "/api/people/slow/2")))
    asking.start()
    wait_until(lambda: people.arrived)
    own.reload(replace(own.site, routes=(Route(path="/api/things", domain="things"),)))
    wait_until(lambda: own.send("GET", "/api/people").status == 404)
    asking.join(20)
    own.await_former_worker()

    assert [answer.status for answer in answers] == [200]


def test_a_group_that_moves_is_asked_where_it_is_now(own, folder, started, people, parcels):
    moved = started(Backend, folder, "moved")
    groups = (own.site.groups[0], Group(domains=("parcels",), servers=(moved.server,)))
    own.reload(replace(own.site, groups=groups))
    own.await_former_worker()
    parcels.forget()

    assert own.send("GET", "/api/parcels").json == {"port": moved.port}
    assert parcels.arrived == []


def test_what_haproxy_refuses_changes_nothing(own):
    before = {path: path.read_text() for path in own.site.folder.rglob("*") if path.is_file() and path.suffix != ".log"}
    with pytest.raises(ConfigurationRefused, match="there-is-no-such-host"):
        own.reload(replace(own.site, metrics="there-is-no-such-host.invalid:9101", answer_within=1))

    assert {path: path.read_text() for path in before} == before
    assert own.send("GET", "/api/people").status == 200
    assert "Reloading" not in own.log_file.read_text()


def test_asked_to_end_it_answers_what_it_has_begun(own, people):
    people.forget()
    answers = []
    asking = threading.Thread(target=lambda: answers.append(own.send("GET", "/api/people/slow/1")))
    asking.start()
    wait_until(lambda: people.arrived)
    own.child.send(signal.SIGUSR1)
    asking.join(20)

    assert [answer.status for answer in answers] == [200]
    wait_until(own.child.exited)


def test_no_request_is_lost_when_it_is_ended_and_started_again_on_a_socket_that_is_held(folder, groups, keys, started):
    """As the supervisor does it: who comes between the two waits in the socket's queue."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as held:
        door: Door = started(Door, site_of(folder / "held", groups, keys), held=held)
        clients = Clients(door.port)
        with clients.asking():
            for _ in range(3):
                clients.await_more(50)
                door.child.send(signal.SIGUSR1)
                wait_until(door.child.exited, limit=30)
                door.child.kill()
                door.start()
            clients.await_more(50)
        door.stop()

    assert set(clients.outcomes) == {"200"}
    assert clients.outcomes["200"] >= 200


def test_sockets_that_will_be_handed_over_are_not_looked_for_when_a_description_is_checked(folder, groups, keys):
    check(replace(site_of(folder / "handed", groups, keys), bind="fd@998", metrics="fd@999"))
