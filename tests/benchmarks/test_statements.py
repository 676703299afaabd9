"""What the server's log says of an order, and what pgbench makes of it."""

from __future__ import annotations

from uuid import UUID

import pytest

from benchmarks.errors import OrderNotSeen
from benchmarks.statements import Asked, Log, per_order, read_log, transactions
from benchmarks.yardstick import script_of

ORDER = "01a2074e-6993-777b-a66e-c8443bb0bfd1"
USER = "01a2074e-5d2e-756b-8215-71f5a61077bd"
PAYMENT = "01a2074e-69c1-7ca6-b3b4-e1d607a3e4fc"
OTHER = "01a2074e-ffff-7ca6-b3b4-e1d607a3e4fc"

TEXT = f"""\
orders|7|LOG:  statement: SELECT 1
orders|7|LOG:  statement: BEGIN
payments|8|LOG:  statement: SELECT * FROM "payments_payment" FOR UPDATE
orders|7|LOG:  statement: INSERT INTO "orders_order" ("id", "user_id") VALUES ('{ORDER}', '{USER}')
|9|LOG:  received SIGHUP, reloading configuration files
orders|7|LOG:  statement: \n\tUPDATE stock SET held = held + 1\n\tWHERE sku IN ('BENCH-101', 'BENCH-102', 'BENCH-103')
orders|7|LOG:  statement: COMMIT
payments|8|ERROR:  nothing to do with it
payments|8|LOG:  statement: INSERT INTO "payments_payment" VALUES ('{PAYMENT}', '{ORDER}:charge', clock_now())
payments|8|LOG:  statement: INSERT INTO "payments_payment" VALUES ('{OTHER}', '{USER}', clock_now())
payments|8|LOG:  statement: UPDATE payments_payment SET done = true WHERE id = '{PAYMENT}'
payments|8|LOG:  statement: SAVEPOINT "s1"
"""

NAMES = {"orders": ["orders_order", "stock", "clock_now"], "payments": ["payments_payment", "clock_now"]}


def test_a_log_is_read_by_statements_and_these_by_transactions():
    statements = tuple(read_log(TEXT))
    assert [(each.role, each.kind) for each in statements] == [
        ("orders", "read"),
        ("orders", "transaction"),
        ("payments", "read"),
        ("orders", "write"),
        ("orders", "write"),
        ("orders", "transaction"),
        ("payments", "write"),
        ("payments", "write"),
        ("payments", "write"),
        ("payments", "savepoint"),
    ]
    assert statements[4].sql.splitlines()[1] == "WHERE sku IN ('BENCH-101', 'BENCH-102', 'BENCH-103')"
    assert [len(each) for each in transactions(statements)] == [1, 1, 4, 1, 1, 1, 1]


def test_what_is_asked_all_the_time_does_not_count_for_an_order():
    busy = Log(statements=tuple(read_log(TEXT)) * 2, seconds=1.0)
    rest = Log(statements=tuple(read_log("orders|7|LOG:  statement: SELECT 1\n" * 4)), seconds=4.0)
    found = per_order(busy, rest, orders=2, roles=["orders", "users"])
    assert found["orders"] == Asked(reads=0.5, writes=2.0, transactions=2.0, savepoints=0.0, commits=1.5)
    assert found["orders"].statements == 4.5
    assert found["users"].statements == 0.0


def test_the_yardstick_writes_what_the_order_wrote_and_nothing_else():
    script = script_of(tuple(read_log(TEXT)), order=UUID(ORDER), user=UUID(USER), names=NAMES)
    assert (script.transactions, script.statements) == (3, 4)
    body = [line for line in script.text.splitlines() if not line.startswith("\\set")]
    order, payment = ":n-0000-7000-8000-000000000000", ":n-0001-7000-8000-000000000000"
    assert body == [
        "BEGIN;",
        f"INSERT INTO orders.orders_order (\"id\", \"user_id\") VALUES ('{order}', '{USER}');",
        "UPDATE orders.stock SET held = held + 1",
        "WHERE sku IN ('BENCH-:sku0', 'BENCH-:sku1', 'BENCH-:sku2');",
        "COMMIT;",
        f"INSERT INTO payments.payments_payment VALUES ('{payment}', '{order}:charge', payments.clock_now());",
        f"UPDATE payments.payments_payment SET done = true WHERE id = '{payment}';",
    ]


def test_an_order_that_the_log_does_not_show_is_an_error():
    with pytest.raises(OrderNotSeen, match="no statement that wrote order 00000000"):
        script_of(tuple(read_log(TEXT)), order=UUID(int=1), user=UUID(USER), names=NAMES)
