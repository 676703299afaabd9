"""
However the domains are grouped, it is the same shop: the same answers, byte for byte, and the same events.

Ids, times, tokens and cursors are compared by their order of appearance. These are the five groupings that differ most;
``make topologies`` plays all fifteen.
"""

from __future__ import annotations

import pytest

from config.topology import Topology
from tests.haproxy import require_haproxy
from tests.topologies.partition import standing
from tests.topologies.play import played_on
from tests.topologies.transcript import difference

pytestmark = [pytest.mark.xdist_group("partitions"), pytest.mark.timeout(300)]

MOST_DIFFERENT = {
    "users|inventory|payments|orders": "each call and each event crosses",
    "orders|payments|users,inventory": "who calls, and who is paid, are alone; users and inventory are together",
    "users,orders|inventory,payments": "users and orders are together, inventory and payments are",
    "users,payments|inventory,orders": "the remaining pairs: each pair is apart somewhere, and together somewhere",
}


@pytest.fixture(scope="module")
def gateway() -> None:
    """Several groups need one before them."""
    require_haproxy()


@pytest.fixture(scope="module")
def monolith() -> str:
    return played_on(standing(Topology.single())).text


def test_the_monolith_ends_every_scene_and_comes_to_rest(monolith: str) -> None:
    assert "ended early" not in monolith
    assert "### At rest\nTrue\n" in monolith
    assert "### Guarantees\nexit 0\n" in monolith


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize("topology", MOST_DIFFERENT)
def test_a_shop_in_several_processes_is_the_same_shop(topology: str, monolith: str) -> None:
    played = played_on(standing(Topology.parse(topology)))

    if found := difference(monolith, played.text, names=("the monolith", topology)):
        pytest.fail(found, pytrace=False)
