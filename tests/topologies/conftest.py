"""A partition of the domains, run as anybody runs it: the same shop behind a gateway, in several sets of processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config.topology import DOMAINS, Topology
from runtime.embedded.process import started_with
from runtime.embedded.state import MARK
from tests.shop import Shop, running

PARTITIONS = ("users|inventory|payments|orders", "orders|payments|users,inventory")
MONOLITH = ",".join(DOMAINS)

EVERY = [
    pytest.param(MONOLITH, marks=pytest.mark.xdist_group("shop"), id="monolith"),
    *(pytest.param(name, marks=pytest.mark.xdist_group(name), id=name) for name in PARTITIONS),
]
"""``parametrize("partition", EVERY, indirect=True)``: the same test on the shop in one process, and in several."""


def partition_of(topology: str, **environ: str) -> Iterator[Shop]:
    """
    The partition while it runs; nothing of it is left afterwards.

    ``send`` and its like go through the gateway, ``run["groups"]`` says where each group answers by itself, and ``sql``
    and ``run["databases"]`` reach each domain's database with its own role.
    """
    folder = None
    for shop in running(**{"TOPOLOGY": topology, "WEB_WORKERS": "1", **environ}):
        folder = shop.folder
        yield shop
    assert started_with(MARK, str(folder)) == []


@pytest.fixture(scope="session", params=EVERY[1:])
def partition(request: pytest.FixtureRequest) -> Iterator[Shop]:
    if not Topology.parse(request.param).is_split:
        yield request.getfixturevalue("shop")
    else:
        yield from partition_of(request.param)
