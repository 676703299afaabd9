"""A partition of the domains, run as anybody runs it: the same shop behind a gateway, in several sets of processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.topology import DOMAINS, Topology
from runtime.embedded.process import started_with
from runtime.embedded.state import MARK
from tests.shop import Shop, running
from tests.topologies.moving import Moving, fresh_database

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")

PARTITIONS = ("users|inventory|payments|orders", "orders|payments|users,inventory")
MONOLITH = ",".join(DOMAINS)

EVERY = [
    pytest.param(MONOLITH, marks=pytest.mark.xdist_group("shop"), id="monolith"),
    pytest.param(PARTITIONS[0], marks=pytest.mark.xdist_group(PARTITIONS[0]), id=PARTITIONS[0]),
    pytest.param(PARTITIONS[1], marks=[pytest.mark.xdist_group(PARTITIONS[1]), pytest.mark.apart], id=PARTITIONS[1]),
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


# --- Moves ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shop_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database with all four domains, the sample catalogue and an operator, to be copied."""
    with fresh_database(os.environ["TEST_ADMIN_URL"], name := f"shop_data_{WORKER}") as url:
        shop = Moving(state=tmp_path_factory.mktemp("shop"), source=url, target="")
        for command in ("migrate", "seed"):
            told = {"OPERATOR_EMAIL": "operator@moves.example", "OPERATOR_PASSWORD": "a password for the tests"}
            done = shop.manage(command, **told)
            assert done.returncode == 0, done.stderr
        yield name


@pytest.fixture
def moving(shop_data: str, tmp_path: Path) -> Iterator[Moving]:
    """A shop's data, and an empty database of the same server to move a domain to."""
    admin = os.environ["TEST_ADMIN_URL"]
    with (
        fresh_database(admin, f"shop_{WORKER}", template=shop_data) as source,
        fresh_database(admin, f"elsewhere_{WORKER}") as target,
    ):
        yield Moving(state=tmp_path, source=source, target=target)
