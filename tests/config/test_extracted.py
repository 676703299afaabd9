"""What was extracted is put over the environment, and nothing starts where the two disagree."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from config.environment import asked_for, read
from config.extracted import Away, Extracted, forget_extracted, read_extracted, write_extracted
from config.topology import DOMAINS, Topology
from config.values import BadSetting

ADMIN = "postgresql://admin:secret@db.example:5433/orders"
SERVICE = "http://10.0.0.7:8001"
ALL = Topology.single()


def environ(folder: Path, **more: str) -> dict[str, str]:
    return {"STATE_DIR": str(folder), "SECRET_KEY": "one", "SERVICE_KEY": "two", **more}


def extracted(base: str = "users,inventory,payments,orders", **away: Away) -> Extracted:
    return Extracted(base=Topology.parse(base), away=away, move="m1")


@pytest.mark.parametrize(
    ("base", "away", "groups"),
    [
        ("users,inventory,payments,orders", {}, "users+inventory+payments+orders"),
        ("users,inventory,payments,orders", {"orders": None}, "users+inventory+payments|orders"),
        ("users,inventory,payments,orders", {"orders": SERVICE}, "users+inventory+payments"),
        ("users,inventory|payments,orders", {"users": None, "orders": None}, "users|inventory|payments|orders"),
        ("users,inventory|payments|orders", {"payments": None}, "users+inventory|payments|orders"),
        ("users,inventory|payments|orders", {"payments": SERVICE}, "users+inventory|orders"),
    ],
)
def test_an_extracted_domain_stands_alone_or_elsewhere(base: str, away: dict[str, Any], groups: str) -> None:
    found = extracted(base, **{domain: Away(database=ADMIN, service=url) for domain, url in away.items()})

    assert found.topology.name == groups


def test_domains_that_come_back_in_any_order_are_grouped_as_before() -> None:
    base = Topology.parse("users,inventory|payments,orders")
    all_away = extracted(base.name, **{domain: Away(database=ADMIN) for domain in DOMAINS})
    assert all_away.topology.name == "users|inventory|payments|orders"

    for order in (DOMAINS, tuple(reversed(DOMAINS)), ("payments", "users", "orders", "inventory")):
        found = all_away
        for domain in order:
            found = found.without_domain(domain, move="back")
        assert found.topology == base


def test_the_file_is_for_its_owner_only_and_says_the_same_when_it_is_read(tmp_path: Path) -> None:
    assert read_extracted(tmp_path) is None
    written = extracted(orders=Away(database=ADMIN, service=SERVICE, left="postgresql://old:x@h/d"))

    write_extracted(tmp_path, written)

    assert read_extracted(tmp_path) == written
    assert stat.S_IMODE((tmp_path / "topology.json").stat().st_mode) == 0o600
    forget_extracted(tmp_path)
    assert read_extracted(tmp_path) is None


def test_settings_lead_to_the_new_database_and_its_neighbours_stay(tmp_path: Path) -> None:
    write_extracted(tmp_path, extracted(orders=Away(database=ADMIN)))

    found = read(environ(tmp_path, DATABASE_URL="postgresql://root:x@old.example/shop"))

    assert found.admin_databases["orders"] == ADMIN
    assert str(found.databases["orders"]).startswith("postgresql://orders:")
    assert str(found.databases["orders"]).endswith("@db.example:5433/orders")
    assert str(found.databases["users"]).endswith("@old.example/shop")
    assert found.hosted_domains == DOMAINS
    assert found.topology.name == "users+inventory+payments|orders"


def test_a_domain_that_others_host_is_called_there_and_not_hosted_here(tmp_path: Path) -> None:
    write_extracted(tmp_path, extracted(users=Away(database=ADMIN, service=SERVICE)))

    found = read(environ(tmp_path))

    assert found.hosted_domains == ("inventory", "payments", "orders")
    assert found.services.urls["users"] == SERVICE
    assert found.jwks_url == f"{SERVICE}/.well-known/jwks.json"
    assert found.topology.name == "inventory+payments+orders"


def test_an_old_setting_that_leads_back_stops_the_start_without_its_password(tmp_path: Path) -> None:
    write_extracted(tmp_path, extracted(orders=Away(database=ADMIN)))

    with pytest.raises(BadSetting, match=r"ORDERS_DATABASE_URL='…' cannot be used: orders was extracted") as raised:
        read(environ(tmp_path, ORDERS_DATABASE_URL="postgresql://root:hidden@old.example/shop"))

    assert "hidden" not in str(raised.value)


def test_a_setting_that_says_the_same_is_no_contradiction(tmp_path: Path) -> None:
    write_extracted(tmp_path, extracted(orders=Away(database=ADMIN)))

    found = read(environ(tmp_path, ORDERS_DATABASE_URL="postgresql://orders:its-own@db.example:5433/orders"))

    assert found.admin_databases["orders"] == ADMIN


def test_what_the_environment_said_before_the_move_is_overruled(tmp_path: Path) -> None:
    old = "postgresql://root:x@old.example/shop"
    write_extracted(tmp_path, extracted(orders=Away(database=ADMIN, left=old)))

    found = read(environ(tmp_path, ORDERS_DATABASE_URL=old))

    assert found.admin_databases["orders"] == ADMIN


def test_a_supervised_process_is_told_and_does_not_read_the_file(tmp_path: Path) -> None:
    write_extracted(tmp_path, extracted(orders=Away(database=ADMIN)))
    old = "postgresql://root:x@old.example/shop"

    found = read(environ(tmp_path, MITOSIS_SUPERVISED=str(tmp_path), DATABASE_URL=old))

    assert found.admin_databases["orders"] == old
    assert found.extracted is None


@pytest.mark.parametrize(
    "text",
    [
        "orders|users,inventory,payments",
        "inventory+payments+users | orders",
        # As it was before.
        "users,inventory,payments,orders",
    ],
)
def test_the_topology_that_holds_may_be_asked_for(text: str) -> None:
    found = extracted(orders=Away(database=ADMIN))

    assert asked_for(text, DOMAINS, found) == found.topology


@pytest.mark.parametrize("text", ["users|inventory|payments|orders", "users|inventory,payments,orders", "orders", ""])
def test_another_topology_is_refused_while_something_is_extracted(text: str) -> None:
    with pytest.raises(
        BadSetting, match=r"orders was extracted, and topology.json says users\+inventory\+payments\|orders"
    ):
        asked_for(text, DOMAINS, extracted(orders=Away(database=ADMIN)))
