"""A topology is a partition of the domains: each in one group, none twice, none missing, none unknown."""

from __future__ import annotations

import pytest

from config.topology import (
    DOMAINS,
    BadTopology,
    DomainMissing,
    DomainTwice,
    EmptyGroup,
    Topology,
    UnknownDomain,
    every_topology,
    group_name,
)


@pytest.mark.parametrize(
    "text",
    [
        "orders|payments|users,inventory",
        " inventory , users | orders|payments ",
        "users+inventory|payments|orders",
        "payments|inventory users|orders",
    ],
)
def test_the_same_groups_are_the_same_topology_however_they_are_written(text):
    found = Topology.parse(text)

    assert found == Topology((("users", "inventory"), ("payments",), ("orders",)))
    assert found.name == "users+inventory|payments|orders"
    assert Topology.parse(found.name) == found


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("", EmptyGroup, "a group names no domain"),
        ("users,inventory,payments,orders|", EmptyGroup, "a group names no domain"),
        ("users||inventory,payments,orders", EmptyGroup, "a group names no domain"),
        ("users|inventory|payments|order", UnknownDomain, "'order' is none of users, inventory, payments, orders"),
        ("users|inventory|payments|Orders", UnknownDomain, "'Orders' is none of users, inventory, payments, orders"),
        ("users,users|inventory|payments|orders", DomainTwice, "users stands in it twice"),
        ("users|inventory,users|payments|orders", DomainTwice, "users stands in it twice"),
        ("users|inventory", DomainMissing, "payments and orders are in no group"),
        ("inventory,payments,orders", DomainMissing, "users is in no group"),
    ],
)
def test_what_is_no_partition_is_refused_with_a_sentence(text, kind, sentence):
    with pytest.raises(BadTopology, match=sentence) as refused:
        Topology.parse(text)

    assert type(refused.value) is kind


def test_there_are_fifteen_and_no_two_of_them_are_the_same():
    found = every_topology()

    assert len({topology.name for topology in found}) == 15
    assert {topology.domains for topology in found} == {DOMAINS}
    assert [Topology.parse(topology.name) for topology in found] == list(found)
    assert found[0] == Topology.single()
    assert found[-1].name == "users|inventory|payments|orders"


def test_a_domain_is_found_in_its_group_and_a_group_is_named_by_its_domains():
    found = Topology.parse("orders,users|payments,inventory")

    assert [group_name(found.group_of(domain)) for domain in DOMAINS] == [
        "users+orders",
        "inventory+payments",
        "inventory+payments",
        "users+orders",
    ]
    assert (found.is_split, Topology.single().is_split) == (True, False)
    with pytest.raises(KeyError):
        Topology.single(("orders",)).group_of("users")
