"""A real shop's first week: loaded, placed over HTTP, killed in the middle, and it adds up to the penny."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

pytestmark = [pytest.mark.xdist_group("retail"), pytest.mark.timeout(900)]

WEEK = Path(__file__).resolve().parents[2].parent / "shared/data/online_retail_2010-12_week1.csv.xz"

if not WEEK.exists():
    pytest.skip("the sales history is not here: shared/data beside the checkout", allow_module_level=True)

KILLED_AFTER = 150

OPENED = "SELECT sum(on_hand), count(*) FROM inventory_stockmovement WHERE kind = 'opening' AND key LIKE %s"


@pytest.fixture(scope="module")
def imports(own_shop: Any) -> list[str]:
    """What importing the week says, the first time and the second."""
    said = []
    for _ in range(2):
        done = own_shop.manage("import_retail", str(WEEK))
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    return said


@pytest.fixture(scope="module")
def replay(own_shop: Any, imports: list[str]) -> str:
    """What the replay says that ends what another one began and was killed at."""
    _replay_and_kill(own_shop)
    done = own_shop.manage("replay_retail", str(WEEK))
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def _replay_and_kill(shop: Any) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "replay_retail", str(WEEK)],
        cwd=shop.root,
        env=shop.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        enough = "SELECT count(*) >= %s FROM orders_order"
        shop.wait_until(lambda: shop.sql("orders", enough, KILLED_AFTER) == [(True,)], limit=300)
        assert process.poll() is None, "the replay ended before it could be killed"
    finally:
        process.kill()
        process.wait(30)


def cells(table: str, row: str) -> list[str]:
    """A row of the table that a replay prints."""
    (line,) = [line for line in table.splitlines() if line.startswith("│") and line.split("│")[1].strip() == row]
    return [cell.strip() for cell in line.split("│")[2:5]]


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_weeks_products_stock_and_customers_are_loaded_and_counted_once(own_shop: Any, imports: list[str]) -> None:
    first, again = (re.sub(r" +", " ", text) for text in imports)

    assert "products 1,852 added 1,852, there before 0" in first
    assert "customers 422 added 422, there before 0" in first
    assert "products 1,852 added 0, there before 1,852" in again
    assert "customers 422 added 0, there before 422" in again
    ((units, opened),) = own_shop.sql("inventory", OPENED, "opening:retail-%")
    assert f"units {units:,} opening stock" in first
    assert opened == 1_852


def test_every_invoice_is_placed_once_though_the_replay_was_killed_and_every_row_is_accounted_for(
    own_shop: Any, replay: str
) -> None:
    assert cells(replay, "all rows of the file") == ["16,985", "566", "232,987.99"]
    placed, before = cells(replay, "placed"), cells(replay, "placed before")
    assert number(placed[1]) + number(before[1]) == 566
    assert number(placed[0]) + number(before[0]) == 10_766
    assert number(before[1]) >= KILLED_AFTER - 10, "the second run placed again what the first had placed"
    left_out = sum(number(cells(replay, label)[0]) for label in re.findall(r"no sale: [a-z -]+[a-z]", replay))
    assert number(placed[0]) + number(before[0]) + left_out == 16_985
    assert "refused" not in replay
    assert "not tried" not in replay
    (page,) = re.findall(r"As a page: (.+)", replay)
    text = Path(page).read_text()
    for row in ("placed", "placed before", "all rows of the file"):
        assert "".join(f"<td>{cell}</td>" for cell in (row, *cells(replay, row))) in text


def test_what_the_shop_booked_is_what_the_file_says_to_the_penny(own_shop: Any, replay: str) -> None:
    orders = own_shop.sql("orders", "SELECT status, count(*), sum(total)::text FROM orders_order GROUP BY status")
    moved = own_shop.sql("payments", "SELECT kind, count(*), sum(amount)::text FROM payments_movement GROUP BY kind")
    keys = own_shop.sql("orders", "SELECT count(DISTINCT key) FROM orders_orderkey WHERE key LIKE %s", "retail-%")

    assert orders == [("confirmed", 566, "232987.99")]
    assert moved == [("capture", 566, "232987.99")]
    assert keys == [(566,)]


def test_a_third_replay_finds_everything_placed(own_shop: Any, replay: str) -> None:
    again = own_shop.manage("replay_retail", str(WEEK))

    assert again.returncode == 0, again.stderr
    assert cells(again.stdout, "placed before") == ["10,766", "566", "232,987.99"]


def test_all_guarantees_hold_afterwards(own_shop: Any, replay: str) -> None:
    verified = own_shop.manage("verify")

    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "566 orders" in verified.stdout
    assert "232,987.99 net" in verified.stdout
    assert "BROKEN" not in verified.stdout


ONE_SKU = "WHERE sku = (SELECT min(sku) FROM inventory_stock)"
ONE_MOVEMENT = "WHERE id = (SELECT min(id::text)::uuid FROM payments_movement)"
ONE_ORDER = "WHERE id = (SELECT min(id::text)::uuid FROM orders_order)"

# By domain: the violation, how it is taken back, and the guarantees that it breaks.
PLANTS = {
    "a unit that came from nowhere": (
        "inventory",
        f"UPDATE inventory_stock SET on_hand = on_hand + 1 {ONE_SKU}",
        f"UPDATE inventory_stock SET on_hand = on_hand - 1 {ONE_SKU}",
        "V4, V5",
    ),
    "a penny less was taken": (
        "payments",
        f"UPDATE payments_movement SET amount = amount - 0.01 {ONE_MOVEMENT}",
        f"UPDATE payments_movement SET amount = amount + 0.01 {ONE_MOVEMENT}",
        "V1, V3, V8",
    ),
    "an order that strayed from its stream": (
        "orders",
        f"UPDATE orders_order SET reason = 'planted' {ONE_ORDER}",
        f"UPDATE orders_order SET reason = NULL {ONE_ORDER}",
        "V9",
    ),
}


@pytest.mark.parametrize("what", PLANTS)
def test_a_planted_violation_is_found_and_named(own_shop: Any, replay: str, what: str) -> None:
    domain, plant, take_back, names = PLANTS[what]
    with planted(own_shop, domain, plant, take_back):
        verified = verify_later(own_shop)

    assert verified.returncode == 1, verified.stdout
    assert f"Broken: {names}." in verified.stderr
    assert verified.stdout.count("BROKEN") == names.count("V")


@contextmanager
def planted(shop: Any, domain: str, plant: str, take_back: str) -> Iterator[None]:
    run_as_owner(shop, domain, plant)
    try:
        yield
    finally:
        run_as_owner(shop, domain, take_back)


def verify_later(shop: Any) -> subprocess.CompletedProcess[str]:
    """Two minutes later by the database's clock: nothing is on its way any more."""
    later = f"{shop.run['databases']['orders']}?options=-c%20mitosis.clock_shift%3D2min"
    return subprocess.run(
        [sys.executable, "manage.py", "verify"],
        cwd=shop.root,
        env={**shop.environ, "ORDERS_DATABASE_URL": later},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def run_as_owner(shop: Any, domain: str, statement: str) -> None:
    connection = psycopg2.connect(shop.owner_url(domain))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.rowcount == 1
    finally:
        connection.close()
