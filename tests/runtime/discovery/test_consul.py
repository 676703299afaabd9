"""By Consul: whoever passes, heard of at once; the last ones known while Consul is away."""

from __future__ import annotations

import time

import pytest

from runtime.discovery.consul import Consul, ConsulAway, Passing
from runtime.discovery.instances import Instance, NotFound
from runtime.discovery.watching import Watch
from tests.runtime.calls.neighbours import Neighbour, answer, saying
from tests.runtime.discovery.consul_server import ConsulServer
from tests.runtime.discovery.test_names import known
from tests.together import wait_until

TOKEN = "a token of Consul's"


def passing(server: ConsulServer, *, token: str = TOKEN) -> Passing:
    return Passing(Consul(server.url, token=token), domain="depot")


def instances(*ports: int) -> set[Instance]:
    return {Instance("depot", f"http://127.0.0.1:{port}") for port in ports}


def test_whoever_passes_is_found_and_nobody_else(consul):
    consul.register("depot", 1)
    consul.register("depot", 2, status="critical")
    consul.register("depot", 3, status="warning")
    consul.register("shed", 4)
    consul.register("depot", 5, address="fd00::7")

    assert set(passing(consul).look()) == {*instances(1), Instance("depot", "http://[fd00::7]:5")}


def test_without_the_right_token_nothing_is_found(consul):
    consul.register("depot", 1)

    with pytest.raises(NotFound, match=r"^Consul answered 403 "):
        passing(consul, token="another").look()


def test_one_question_waits_until_there_is_news(consul):
    consul.register("depot", 1)
    source = passing(consul)
    source.pause = 0.0
    watch = Watch(source, name="depot")
    watch.await_first_look(10)
    assert known(watch) == instances(1)
    wait_until(lambda: len(consul.reads) == 2)

    began = time.monotonic()
    id_ = consul.register("depot", 2)
    wait_until(lambda: known(watch) == instances(1, 2))
    consul.ask("PUT", f"/v1/agent/service/deregister/{id_}")
    wait_until(lambda: known(watch) == instances(1))

    assert time.monotonic() - began < 5
    assert "index" not in consul.reads[0]
    assert all(read["passing"] == "true" for read in consul.reads)
    assert all(read["index"] and read["wait"] == "30s" for read in consul.reads[1:])


def test_nobody_passing_is_known_as_nobody(consul):
    id_ = consul.register("depot", 1)
    watch = Watch(passing(consul), name="depot")
    watch.await_first_look(10)

    consul.ask("PUT", f"/v1/agent/check/fail/service:{id_}")

    wait_until(lambda: watch.choice.choose() is None)


def test_while_consul_is_away_whoever_was_known_last_is_kept(consul):
    consul.register("depot", 1)
    watch = Watch(passing(consul), name="depot")
    watch.await_first_look(10)
    wait_until(lambda: len(consul.reads) == 2)

    consul.stop()
    with pytest.raises(ConsulAway):
        Consul(consul.url, token=TOKEN).ask("GET", "/v1/agent/services")
    assert known(watch) == instances(1)
    consul.start()
    # It comes back with nothing, and with an index that is smaller.
    consul.register("depot", 2)

    wait_until(lambda: known(watch) == instances(2), limit=30)


GARBAGE = {
    "not JSON": b"<html>",
    "no list": b"{}1",
    "a number": b"7",
    "a list of numbers": b"[7]",
    "no address": b'[{"Node": {}, "Service": {"Port": 1}}]',
    "no port": b'[{"Node": {"Address": "a"}, "Service": {"Address": "a"}}]',
    "a port that is none": b'[{"Node": {"Address": "a"}, "Service": {"Address": "a", "Port": 70000}}]',
}


@pytest.mark.parametrize("said", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_answer_of_consuls_changes_nothing(said):
    there = Neighbour(saying(answer(said)))
    source = Passing(Consul(there.url, token=None), domain="depot")

    with pytest.raises(NotFound):
        source.look()

    there.close()
