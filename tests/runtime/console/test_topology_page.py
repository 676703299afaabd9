"""The topology as a page: who hosts what, and what goes between, as all processes together have counted it."""

from __future__ import annotations

import time
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.console import topology
from runtime.console.drawing import Picture
from runtime.console.topology import groups_of
from runtime.console.traffic import Traffic, asked_from_everywhere, traffic_of
from runtime.resilience import State
from runtime.telemetry import rates
from tests.operators import Operator
from tests.runtime.telemetry.shared_rates import shared
from tests.trade import Trade

__all__ = ["shared"]

ALL = "users+inventory+payments+orders"


@pytest.fixture
def reader(sign_in) -> Operator:
    return sign_in("support")


def tie(source: str, target: str, *names: str) -> Any:
    return SimpleNamespace(source=source, target=target, names=names)


def rows(page: Any, title: str) -> list[tuple[str, ...]]:
    panels = [*page.context["beside"], *page.context["below"]]
    (panel,) = [panel for panel in panels if panel.title == title]
    return [tuple(map(str, row)) for row in panel.rows]


# --- What is counted ------------------------------------------------------------------------------------------------


def test_a_call_is_of_those_where_it_was_made_and_a_refusal_is_an_answer() -> None:
    counts = {
        ("orders", "call", "payments", "charge", "remote", "ok"): {0: 2, 3: 5},
        ("orders+users", "call", "payments", "charge", "local", "rejected"): {0: 1},
        ("orders", "call", "payments", "charge", "remote", "unavailable"): {9: 2},
        ("orders", "call", "payments", "charge", "remote", "breaker_open"): {0: 3},
        ("inventory", "call", "payments", "charge", "remote", "ok"): {0: 100},
        ("orders", "call", "payments", "overview", "remote", "ok"): {0: 100},
        ("orders", "call", "inventory", "charge", "remote", "ok"): {0: 100},
        ("orders", "event", "payments", "charge", "handled"): {0: 100},
    }
    found = traffic_of(counts, "call", tie("orders", "payments", "charge"))

    assert (found.good, found.failed, found.kept_back, found.all) == (8, 5, 3, 13)
    assert found.half_within == "50 ms"


def test_an_event_is_of_whoever_hears_it_and_to_wait_is_no_try() -> None:
    counts = {
        ("orders", "event", "orders", "PaymentFailed", "handled"): {0: 7},
        ("orders", "event", "orders", "PaymentFailed", "failed"): {0: 2},
        ("orders", "event", "orders", "PaymentFailed", "parked"): {0: 1},
        ("orders", "event", "orders", "PaymentFailed", "waiting"): {0: 50},
        ("orders", "event", "orders", "UserErased", "handled"): {0: 50},
        ("inventory", "event", "inventory", "PaymentFailed", "handled"): {0: 50},
    }
    found = traffic_of(counts, "event", tie("payments", "orders", "PaymentFailed"))

    assert (found.good, found.failed) == (7, 3)


TOOK = [
    ({}, ""),
    ({0: 1}, "5 ms"),
    ({0: 1, 4: 1}, "5 ms"),
    ({0: 1, 4: 2}, "100 ms"),
    ({8: 3}, "2.5 s"),
    ({11: 1}, "over 10 s"),
]


@pytest.mark.parametrize(("took", "bound"), TOOK)
def test_half_of_them_were_answered_within_the_bound_of_a_bucket(took: dict[int, int], bound: str) -> None:
    traffic = Traffic()
    traffic.add("ok", took)

    assert traffic.half_within == bound


def test_what_no_domains_code_asks_is_kept_apart() -> None:
    counts = {
        ("users", "call", "orders", "overview", "remote", "ok"): {0: 2},
        ("payments", "call", "orders", "overview", "remote", "unavailable"): {0: 1},
        ("orders", "call", "payments", "charge", "remote", "ok"): {0: 9},
        ("orders", "event", "payments", "UserErased", "handled"): {0: 9},
    }
    found = asked_from_everywhere(counts, [tie("orders", "payments", "charge")])

    assert {what: (each.good, each.failed) for what, each in found.items()} == {("orders", "overview"): (2, 1)}


def test_whom_settings_do_not_place_stands_where_he_counts_or_else_alone(settings) -> None:
    settings.HOSTED_DOMAINS = ("orders",)
    place = SimpleNamespace(domains=("orders",), http="", inside="", processes=())
    found = SimpleNamespace(places=(place,), calls=(), events=())
    domains = ("users", "inventory", "payments", "orders")

    def grouped(*seen: str) -> list[tuple[str, ...]]:
        return [group.domains for group in groups_of(found, domains, {(where, "one"): {0: 1} for where in seen})]

    assert grouped() == [("orders",), ("users",), ("inventory",), ("payments",)]
    assert grouped("users+inventory", "orders+payments") == [("orders",), ("users", "inventory"), ("payments",)]
    assert [group.title for group in groups_of(found, domains, {})][:2] == [
        "orders · here",
        "users · address not known",
    ]


# --- The page -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_order_is_seen_on_its_way_through_the_domains(shared, reader, trade: Trade) -> None:
    trade.order()
    rates.flush()
    page = reader.get("/admin/topology/?minutes=1")

    asked = {row[1]: row for row in rows(page, "Calls")}
    assert set(asked) == {"Users", "Inventory", "Payments"}
    for callee, row in asked.items():
        assert (row[0], row[2], row[4]) == ("Orders", "no", "0"), callee
        assert float(row[3]) > 0, callee
    assert page.context["topology"] == ALL.replace("+", " + ")
    picture: Picture = page.context["picture"]
    assert not any(arrow.crosses or arrow.tie.bad for arrow in picture.arrows)
    assert {row[:3] for row in rows(page, "Who hosts what")} == {
        ("Users", "hosted here", "Inventory, Payments, Orders"),
        ("Inventory", "hosted here", "Users, Payments, Orders"),
        ("Payments", "hosted here", "Users, Inventory, Orders"),
        ("Orders", "hosted here", "Users, Inventory, Payments"),
    }
    # The sign-in is asked from everywhere, and drawn nowhere.
    assert "authenticate" in {row[1] for row in rows(page, "Asked from everywhere")}


@pytest.mark.django_db
def test_rates_are_of_a_minute_whatever_the_window(reader, shared) -> None:
    shared.add({("orders", "call", "payments", "charge", "remote", "ok"): [600]})
    shared.add({(ALL, "event", "orders", "PaymentFailed", "failed"): [7]})

    def payments(minutes: object) -> tuple[str, ...]:
        page = reader.get(f"/admin/topology/?minutes={minutes}")
        assert page.status_code == 200
        return next(row for row in rows(page, "Calls") if row[1] == "Payments")

    rate = {minutes: float(payments(minutes)[3].replace(",", "")) for minutes in (1, 5, 15)}
    assert 600 <= rate[1] <= 720
    assert 120 <= rate[5] <= 125
    assert 40 <= rate[15] <= 41
    assert payments("nonsense") == payments(5)
    page = reader.get("/admin/topology/")
    text = unescape(page.content.decode())
    assert "≤ 5 ms" in text
    assert "7 failed" in text
    assert {arrow.tie.target for arrow in page.context["picture"].arrows if arrow.tie.bad} == {"orders"}


@pytest.mark.django_db
def test_who_is_not_asked_now_is_red_in_the_picture_and_in_the_table(reader, shared, monkeypatch) -> None:
    shared.add({("orders", "call", "payments", "charge", "remote", "breaker_open"): [2]})
    monkeypatch.setattr(
        topology, "neighbours", lambda: [SimpleNamespace(callee=name, state=state) for name, state in
                                         (("inventory", State.OPEN), ("users", State.HALF_OPEN))]
    )  # fmt: skip
    page = reader.get("/admin/topology/")

    assert {box.node.name for box in page.context["picture"].boxes if box.node.bad} == {"payments", "inventory"}
    told = {row[0]: row[1] for row in rows(page, "Who hosts what")}
    assert [name for name, seen in told.items() if "not asked now" in seen] == ["Inventory", "Payments"]
    assert next(row[5] for row in rows(page, "Calls") if row[1] == "Payments") == "2"
    text = page.content.decode()
    assert "Not asked now: Inventory, Payments." in text
    assert 'href="/admin/runbook/#breakeropen">What to do</a>' in text


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", None])
def test_without_the_cache_it_says_who_is_where_and_that_it_does_not_know_how_often(url, reader, settings) -> None:
    settings.CACHE_URL = url
    rates.shared_rates.cache_clear()
    began = time.monotonic()
    page = reader.get("/admin/topology/")
    rates.shared_rates.cache_clear()

    assert (page.status_code, time.monotonic() - began < 5) == (200, True)
    assert "How often is not known" in page.content.decode()
    assert len(rows(page, "Who hosts what")) == 4
    assert {row[3:7] for row in rows(page, "Calls")} == {("", "", "", "")}
    assert not any(arrow.words for arrow in page.context["picture"].arrows)


@pytest.mark.django_db
def test_it_is_for_whoever_may_look_at_each_domain(client, reader, monkeypatch) -> None:
    from contracts.users import ROLES
    from runtime.identity import principal

    assert client.get("/admin/topology/").status_code == 302
    assert reader.post("/admin/topology/").status_code in {403, 405}
    allowed = ROLES["support"] - {"payments.view_any"}
    monkeypatch.setattr(principal, "_permissions", lambda roles: allowed)
    assert reader.get("/admin/topology/").status_code == 403
