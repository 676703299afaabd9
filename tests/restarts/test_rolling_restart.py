"""
Every process is started anew, one by one, while people buy: no request fails, and no order is lost.

A few orders a second here; ``make chaos-restart`` has 20.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import urllib3

from runtime.embedded.process import group_members
from tests.restarts.customers import Customers
from tests.shop import Shop
from tests.topologies.conftest import partition_of

RATE = float(os.environ.get("RESTART_RATE") or 4)
TOPOLOGIES = {"four groups": "users|inventory|payments|orders", "one group": "users,inventory,payments,orders"}


@pytest.fixture(scope="module", params=TOPOLOGIES.values(), ids=TOPOLOGIES)
def town(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from partition_of(request.param, WEB_WORKERS="2" if "|" not in request.param else "1")


def workers_of_gateway(town: Shop) -> set[int]:
    if "gateway" not in town.run:
        return set()
    master = town.pid("gateway")
    return set(group_members(master)) - {master}


@pytest.mark.apart
@pytest.mark.xdist_group("restarts")
@pytest.mark.timeout(900)
def test_no_request_fails_while_every_process_is_started_anew(town: Shop) -> None:
    customers = Customers(town, rate=RATE)
    before, gateway = {each["name"]: each["pid"] for each in town.run["processes"]}, workers_of_gateway(town)
    with customers.buying():
        town.wait_until(lambda: len(customers.placed) > 3 * RATE, limit=60)
        restarted = town.manage("restart")
        seen = len(customers.placed)
        town.wait_until(lambda: len(customers.placed) > seen + 3 * RATE, limit=60)

    after = {each["name"]: each["pid"] for each in town.run["processes"]}
    print(f"\n{town.run['topology']}: {dict(customers.outcomes)}; the slowest took {customers.slowest:.2f} s")
    print("\n".join(in_vain(town)), restarted.stdout, *customers.failed, sep="\n")
    ours = [name for name in before if not name.startswith(("postgres", "valkey"))]
    assert (restarted.returncode, restarted.stderr) == (0, "")
    assert restarted.stdout.splitlines() == [f"{name} was started anew." for name in ours]
    assert customers.failed == []
    assert {status for _, _, status in customers.outcomes} <= {200, 201, 202}
    same = [name for name in before if before[name] == after[name]]
    assert same == [name for name in before if name.startswith(("postgres", "valkey", "gateway"))]
    if "gateway" in before:
        assert workers_of_gateway(town) - gateway, "the gateway has no new worker"

    town.wait_until(lambda: not pending(town, customers.placed), limit=60)
    assert {town.order(order_id)["status"] for order_id in customers.placed} == {"confirmed"}
    verified = town.manage("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def in_vain(town: Shop) -> list[str]:
    """Which calls of orders had no good answer so far, before and after it was started anew."""
    told = urllib3.request("GET", town.run["metrics"]).data.decode().splitlines()
    return [
        line for line in told if line.startswith("mitosis_call_duration_seconds_count") and 'result="ok"' not in line
    ]


def pending(town: Shop, orders: list[str]) -> int:
    question = "SELECT count(*) FROM orders_order WHERE id = ANY(%s::uuid[]) AND status = 'pending'"
    return int(town.sql("orders", question, orders)[0][0])
