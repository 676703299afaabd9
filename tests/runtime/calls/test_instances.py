"""A domain with several instances: they come and go, a dead one is asked once, and no call fails for it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from urllib3.util import connection

from contracts._base import Unavailable
from runtime.calls import call, resolve
from runtime.calls.routing import _client
from runtime.discovery import NoInstance, choose
from runtime.discovery.names import Names
from tests.runtime.calls.depot import DEPOT, Depot
from tests.runtime.calls.neighbours import Neighbour, answer, resetting, saying, silent
from tests.runtime.discovery.consul_server import ConsulServer
from tests.runtime.discovery.names_server import NAME, NameServer
from tests.together import together, wait_until

YES = answer(b"1")


@pytest.fixture
def start() -> Iterator[Callable[..., Neighbour]]:
    started = []

    def start(behave=None, **where) -> Neighbour:
        started.append(Neighbour(behave or saying(YES, stays=True), **where))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def depot_at(settings) -> Iterator[Callable[..., Depot]]:
    """The depot behind these addresses."""

    def depot_at(*urls: str) -> Depot:
        settings.SERVICE_URLS = {"depot": ",".join(urls)}
        _client.cache_clear()
        return resolve(DEPOT)

    yield depot_at
    _client.cache_clear()


def closed() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


# --- Static ---------------------------------------------------------------------------------------------------------


def test_calls_are_spread_over_all_instances(start, depot_at):
    here = [start() for _ in range(3)]
    depot = depot_at(*(each.url for each in here))

    for _ in range(300):
        depot.act(deed="nothing")

    counts = [len(each.requests) for each in here]
    assert sum(counts) == 300
    # Binomial with n = 300 and p = 1/3: five standard deviations are 41.
    assert all(abs(count - 100) <= 41 for count in counts)


def test_a_dead_instance_is_asked_once_and_no_call_fails_for_it(start, depot_at, monkeypatch):
    alive, dead, asked = start(), closed(), []
    connect = connection.create_connection

    def noted(address, *arguments, **more):
        asked.append(f"http://{address[0]}:{address[1]}")
        return connect(address, *arguments, **more)

    monkeypatch.setattr(connection, "create_connection", noted)
    depot = depot_at(alive.url, dead)

    assert [depot.act(deed="nothing") for _ in range(50)] == [1] * 50

    assert asked.count(dead) == 1
    assert len(alive.requests) == 50


def test_many_calls_at_once_find_the_living_one(start, depot_at):
    alive = start()
    depot = depot_at(closed(), alive.url, closed())

    answers = together(*(lambda: depot.act(deed="nothing") for _ in range(16)))

    assert answers == [1] * 16


def test_a_call_that_may_have_run_is_not_sent_to_another(start, depot_at):
    first, second = start(resetting), start(resetting)
    depot = depot_at(first.url, second.url)

    with pytest.raises(Unavailable) as raised:
        depot.act(deed="nothing")

    assert raised.value.may_have_run is True
    assert len(first.requests) + len(second.requests) == 1


def test_one_that_was_reset_is_set_aside_as_well(start, depot_at):
    bad, good = start(resetting), start()
    depot = depot_at(bad.url, good.url)
    while not bad.requests:
        try:
            depot.act(deed="nothing")
        except Unavailable:
            break

    assert [depot.act(deed="nothing") for _ in range(30)] == [1] * 30
    assert len(bad.requests) == 1


def test_whoever_was_given_hardly_any_time_is_not_taken_for_gone(start, depot_at):
    slow = start(silent)
    depot = depot_at(slow.url, slow.url.replace("127.0.0.1", "127.0.0.2"))
    with call(seconds=0.1), pytest.raises(Unavailable):
        depot.act(deed="nothing")

    # The other address is closed: were this one set aside, nobody would be left to ask again at once.
    with call(seconds=0.1), pytest.raises(Unavailable) as raised:
        depot.act(deed="nothing")

    assert raised.value.may_have_run is True
    assert len(slow.requests) == 2


def test_all_of_them_dead_is_an_outage_that_has_not_run_and_each_was_asked_once(depot_at):
    depot = depot_at(closed(), closed(), closed())

    with pytest.raises(Unavailable) as raised:
        depot.act(deed="nothing")

    assert raised.value.may_have_run is False
    assert raised.value.detail.startswith("depot cannot be reached: no connection")


def test_whoever_comes_back_is_asked_again(start, depot_at):
    url = closed()
    depot = depot_at(url)
    with pytest.raises(Unavailable):
        depot.act(deed="nothing")

    back = start(address=("127.0.0.1", int(url.rpartition(":")[2])))

    assert depot.act(deed="nothing") == 1
    assert len(back.requests) == 1


# --- DNS ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def by_name(settings, monkeypatch) -> Iterator[Callable[[NameServer, int], Depot]]:
    """The depot behind a name that this server knows; the system's own resolver asks it."""

    def by_name(server: NameServer, port: int) -> Depot:
        monkeypatch.setattr(Names.__init__, "__kwdefaults__", {"look_up": server.look_up})
        monkeypatch.setattr(Names, "pause", 0.05)
        settings.DISCOVERY = "dns"
        settings.SERVICE_URLS = {"depot": f"http://{NAME}:{port}"}
        _client.cache_clear()
        return resolve(DEPOT)

    yield by_name
    _client.cache_clear()


def test_by_dns_instances_come_and_go(start, by_name):
    one = start(address=("127.0.0.2", 0))
    other = start(address=("127.0.0.3", one.port))
    server = NameServer("127.0.0.2")
    depot = by_name(server, one.port)

    assert [depot.act(deed="nothing") for _ in range(10)] == [1] * 10
    assert (len(one.requests), len(other.requests)) == (10, 0)

    server.has = ("127.0.0.2", "127.0.0.3")
    wait_until(lambda: depot.act(deed="nothing") and other.requests)
    server.has = ("127.0.0.3",)
    asked = server.asked
    wait_until(lambda: server.asked >= asked + 6)
    before = len(one.requests)

    assert [depot.act(deed="nothing") for _ in range(10)] == [1] * 10
    assert len(one.requests) == before
    assert f"Host: {NAME}:{one.port}".encode() in other.requests[0][1]


def test_a_name_server_that_does_not_answer_holds_a_call_no_longer_than_its_deadline(by_name):
    server = NameServer("127.0.0.2")
    depot = by_name(server, 1)
    server._answer = lambda question: b""  # type: ignore[method-assign]
    began = time.monotonic()

    with call(seconds=0.3), pytest.raises(Unavailable) as raised:
        depot.act(deed="nothing")

    assert time.monotonic() - began < 0.9
    assert raised.value.may_have_run is False


# --- Consul ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def consul(settings) -> Iterator[ConsulServer]:
    server = ConsulServer()
    settings.DISCOVERY, settings.CONSUL_URL, settings.CONSUL_TOKEN = "consul", server.url, None
    _client.cache_clear()
    yield server
    server.stop()
    _client.cache_clear()


def test_by_consul_instances_come_and_go_and_its_absence_is_not_noticed(start, consul):
    one, other = start(), start()
    first = consul.register("depot", one.port)
    depot = resolve(DEPOT)
    assert depot.act(deed="nothing") == 1

    consul.register("depot", other.port)
    wait_until(lambda: depot.act(deed="nothing") and other.requests)
    consul.ask("PUT", f"/v1/agent/check/fail/service:{first}")
    wait_until(lambda: len(consul.reads) >= 4)
    before = len(one.requests)
    assert [depot.act(deed="nothing") for _ in range(10)] == [1] * 10
    assert len(one.requests) == before

    consul.stop()

    assert [depot.act(deed="nothing") for _ in range(10)] == [1] * 10


def test_where_nobody_passes_nobody_is_asked(consul, start):
    one = start()
    consul.register("depot", one.port, status="critical")

    with pytest.raises(Unavailable, match="depot cannot be reached: nobody is known who hosts depot now") as raised:
        resolve(DEPOT).act(deed="nothing")

    assert raised.value.may_have_run is False
    assert isinstance(raised.value.__cause__, NoInstance)
    assert one.requests == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_watches_for_itself(start, consul):
    one, other = start(), start()
    first = consul.register("depot", one.port)
    depot = resolve(DEPOT)
    assert depot.act(deed="nothing") == 1

    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert depot.act(deed="nothing") == 1
            os.write(told, b"x")
            wait_until(lambda: choose("depot", seconds=1.0).url == other.url)
            code = 0
        finally:
            os._exit(code)
    assert os.read(ready, 1) == b"x"
    consul.register("depot", other.port)
    consul.ask("PUT", f"/v1/agent/service/deregister/{first}")
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert len(one.requests) == 2
