"""A partition of the domains, run as anybody runs it: the same shop behind a gateway, in several sets of processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.embedded.process import started_with
from runtime.embedded.state import MARK
from tests.shop import Shop, running

PARTITIONS = ("users|inventory|payments|orders", "orders|payments|users,inventory")


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


@pytest.fixture(
    scope="session", params=[pytest.param(name, marks=pytest.mark.xdist_group(name), id=name) for name in PARTITIONS]
)
def partition(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from partition_of(request.param)
