"""Servers that a DNS name stands for come and go as its addresses do, and nothing is reloaded."""

from __future__ import annotations

import pytest

from runtime.gateway.site import DnsName, Group
from tests.runtime.gateway.doors import Backend, Door, site_of
from tests.runtime.gateway.names import Names
from tests.together import wait_until


@pytest.fixture
def names(started) -> Names:
    found: Names = started(Names)
    return found


@pytest.fixture(scope="module")
def many(folder, started) -> Backend:
    """One process that answers at all the addresses of the loopback interface."""
    found: Backend = started(Backend, folder, "many", everywhere=True)
    return found


@pytest.fixture
def named(folder, keys, many, names, started, request) -> Door:
    group = Group(domains=("people",), servers=DnsName(name="people.shop.test", port=many.port, at_most=4))
    site = site_of(folder / request.node.name, (group,), keys, nameservers=(f"127.0.0.1:{names.port}",))
    found: Door = started(Door, site)
    return found


def test_a_group_is_asked_once_its_name_has_an_address_and_no_longer_than_it_has(named, names, many):
    assert named.send("GET", "/health/ready").status == 503
    assert named.send("GET", "/api/people").status == 503

    names.addresses = ("127.0.0.1",)
    wait_until(lambda: named.send("GET", "/health/ready").status == 200, limit=30)
    assert named.send("POST", "/api/people", body=b"{}").status == 200
    assert len(many.arrived) == 1

    names.addresses = ()
    wait_until(lambda: named.send("GET", "/api/people").status == 503, limit=60)
    assert "Reloading" not in named.log_file.read_text()


def test_each_address_is_a_server_of_its_own(named, names):
    names.addresses = ("127.0.0.1", "127.0.0.2")

    def servers() -> set[str]:
        named.send("GET", "/api/people")
        return {line["server"] for line in named.log if line["status"] == 200}

    wait_until(lambda: len(servers()) == 2, limit=30)
