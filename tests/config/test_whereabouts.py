"""`manage.py topology`: what is shown is what the code does and the settings say, and no password is among it."""

from __future__ import annotations

from config.environment import read
from config.management.commands.topology import chart
from config.whereabouts import calls_of_domains, whereabouts
from runtime.databases.urls import without_password

URL = "postgresql://orders:sesame@db.example:5433/shop?sslmode=require"


def described(tmp_path, **environ):
    known = {"SECRET_KEY": "a", "SERVICE_KEY": "b", "STATE_DIR": str(tmp_path)}
    return whereabouts(read({**known, **environ}), None)


def test_the_calls_are_those_that_the_code_makes():
    assert calls_of_domains() == {
        ("orders", "inventory"): ("history", "quote", "release", "reserve"),
        ("orders", "payments"): ("capture", "charge", "history", "inquire", "refund", "void"),
        ("orders", "users"): ("validate",),
    }


def test_a_call_crosses_where_its_ends_are_in_different_groups(tmp_path):
    found = described(tmp_path, TOPOLOGY="users,orders|inventory|payments")

    assert {(tie.source, tie.target): tie.crosses for tie in found.calls} == {
        ("orders", "inventory"): True,
        ("orders", "payments"): True,
        ("orders", "users"): False,
    }
    heard = {(tie.source, tie.target): tie.names for tie in found.events if tie.crosses}
    assert heard["orders", "inventory"] == ("OrderReturned", "OrderShipped")
    assert ("users", "orders") not in heard
    assert not any(tie.crosses for tie in described(tmp_path).calls)


def test_one_process_of_a_deployment_knows_who_is_together_by_their_addresses(tmp_path):
    found = described(
        tmp_path, DOMAINS="orders", USERS_URL="http://u:1", INVENTORY_URL="http://u:1", PAYMENTS_URL="http://p:1"
    )

    assert found.topology == "orders|users+inventory|payments"
    assert [place.inside for place in found.places] == ["", "http://u:1", "http://p:1"]


def test_no_password_is_shown(tmp_path):
    assert without_password(URL) == "postgresql://orders@db.example:5433/shop"
    lines = chart(described(tmp_path, TOPOLOGY="orders|payments|users,inventory", ORDERS_DATABASE_URL=URL))

    assert '  orders --- db_orders[("postgresql://orders@db.example:5433/shop")]' in lines
    assert "sesame" not in "".join(lines)
    assert lines[0] == "flowchart LR"
    assert [line for line in lines if "subgraph" in line] == [
        '  subgraph group0["users+inventory"]',
        '  subgraph group1["payments"]',
        '  subgraph group2["orders"]',
    ]
    assert "  orders -->|6 calls| payments" in lines
