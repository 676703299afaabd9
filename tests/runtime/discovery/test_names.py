"""By DNS: every address of a name, as the system's own resolver finds them; the last ones while it finds none."""

from __future__ import annotations

import pytest

from runtime.discovery.instances import Instance, NotFound
from runtime.discovery.names import Names
from runtime.discovery.watching import Watch
from tests.runtime.discovery.names_server import NAME, NameServer
from tests.together import wait_until

URL = f"http://{NAME}:8001"


def instances(*addresses: str) -> set[Instance]:
    return {Instance("depot", f"http://{address}:8001", f"{NAME}:8001") for address in addresses}


def test_all_addresses_of_both_families_are_found_and_keep_the_names_host():
    server = NameServer("127.0.0.2", "127.0.0.3", "fd00::7")

    found = Names(URL, domain="depot", look_up=server.look_up).look()

    assert set(found) == instances("127.0.0.2", "127.0.0.3", "[fd00::7]")
    assert len(found) == 3


def test_the_system_finds_itself():
    found = Names("http://localhost", domain="depot").look()

    assert Instance("depot", "http://127.0.0.1:80", "localhost") in found


@pytest.mark.parametrize("has", [(), None], ids=["no such name", "the server is in trouble"])
def test_a_name_without_an_answer_is_not_found(has):
    server = NameServer()
    server.has = has

    with pytest.raises(NotFound, match=f"^{NAME} has no address"):
        Names(URL, domain="depot", look_up=server.look_up).look()


def test_a_watch_follows_the_name_and_keeps_what_it_knew_while_there_is_no_answer(caplog):
    server = NameServer("127.0.0.2")
    source = Names(URL, domain="depot", look_up=server.look_up)
    source.pause = 0.05
    watch = Watch(source, name="depot")
    watch.await_first_look(10)
    assert known(watch) == instances("127.0.0.2")

    server.has = ("127.0.0.2", "127.0.0.3")
    wait_until(lambda: known(watch) == instances("127.0.0.2", "127.0.0.3"))
    for trouble in (None, ()):
        server.has, before = trouble, server.asked
        wait_until(lambda: server.asked > before + 2)  # noqa: B023 - called in this turn
        assert known(watch) == instances("127.0.0.2", "127.0.0.3")
    server.has = ("127.0.0.4",)

    wait_until(lambda: known(watch) == instances("127.0.0.4"))


def test_a_name_that_has_no_address_lets_nobody_wait_for_one():
    server = NameServer()
    watch = Watch(Names(URL, domain="depot", look_up=server.look_up), name="depot")

    watch.await_first_look(60)

    assert watch.choice.choose() is None


def test_somebody_who_is_gone_is_reason_to_look_again_at_once():
    server = NameServer("127.0.0.2")
    source = Names(URL, domain="depot", look_up=server.look_up)
    source.pause = 3600.0
    watch = Watch(source, name="depot")
    watch.await_first_look(10)
    server.has = ("127.0.0.3",)

    watch.look_again()

    wait_until(lambda: known(watch) == instances("127.0.0.3"))


def known(watch: Watch) -> set[Instance]:
    """Each is chosen and given back."""
    choice, found = watch.choice, set()
    while (one := choice.choose(besides=found)) is not None:
        choice.told(one, ok=None)
        found.add(one)
    return found
