"""A trace as a picture: each span below what it is a part of; and what is said where there is nothing to show."""

from __future__ import annotations

import random
from uuid import uuid4

import pytest
from redis.exceptions import RedisError

from runtime.console.traces import waterfall
from runtime.telemetry import sending
from runtime.telemetry.spans import entering, span
from runtime.telemetry.traces import RecentTraces, Recorded
from tests.trade import Trade

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def a_span(span_id: str, parent_id: str | None, began: int, ended: int, **attributes: object) -> Recorded:
    """Times in milliseconds."""
    return Recorded(
        trace_id=TRACE, span_id=span_id, parent_id=parent_id, name=span_id, kind="internal", service="mitosis",
        process=1, began=began * 1_000_000, ended=ended * 1_000_000, failed=False, attributes=dict(attributes),
    )  # fmt: skip


SPANS = [
    a_span("a", "outside", 100, 300),
    a_span("b", "a", 110, 150),
    a_span("c", "b", 120, 130, **{"db.system.name": "postgresql"}),
    a_span("d", "a", 160, 200),
    a_span("e", "lost", 250, 500),
]


def test_each_span_stands_below_what_it_is_a_part_of_in_order_of_time() -> None:
    shuffled = random.Random(1).sample(SPANS, len(SPANS))
    bars = waterfall(shuffled)

    assert [(bar.span.name, bar.depth) for bar in bars] == [("a", 0), ("b", 1), ("c", 2), ("d", 1), ("e", 0)]
    assert [(bar.began, bar.took) for bar in bars] == [(0, 200), (10, 40), (20, 10), (60, 40), (150, 250)]
    assert [(bar.left, bar.width) for bar in bars] == [(0, 50), (2.5, 10), (5, 2.5), (15, 10), (37.5, 62.5)]


def test_statements_can_be_left_out() -> None:
    assert [bar.span.name for bar in waterfall(SPANS, with_sql=False)] == ["a", "b", "d", "e"]


def test_what_is_very_deep_or_goes_round_in_circles_ends_all_the_same() -> None:
    deep = [a_span(str(number), str(number - 1), number, number) for number in range(5000)]

    assert waterfall(deep)[-1].depth == 4999
    assert waterfall([a_span("a", "b", 1, 2), a_span("b", "a", 1, 2)]) == []
    assert waterfall([]) == []


@pytest.mark.django_db
def test_an_order_leads_to_its_traces_as_far_as_they_can_be_shown(sign_in, trade: Trade, recorded) -> None:
    with entering("recorded", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01"):
        order = trade.order()
    sending.flush()
    # Whatever is done to it later belongs to a trace that nobody recorded.
    with entering("not recorded", traceparent=f"00-{'a' * 32}-00f067aa0ba902b7-00"):
        from apps.orders.service import SERVICE

        SERVICE.ship(order_id=order.id, carrier="A carrier", tracking_number="1")

    page = sign_in("support").get(f"/admin/orders/order/{order.id}/change/").content.decode()
    assert f'href="/admin/traces/{TRACE}/"' in page
    assert "a" * 32 in page
    assert f"/admin/traces/{'a' * 32}/" not in page


@pytest.mark.django_db
def test_the_list_has_the_latest_first_and_leads_to_each(sign_in, recorded) -> None:
    with entering("POST /api/orders", traceparent=None), span("inside"):
        pass
    with pytest.raises(ZeroDivisionError), entering("another", traceparent=None):
        raise ZeroDivisionError
    recorded()

    reader = sign_in("support")
    rows = reader.get("/admin/traces/").context["panel"].rows
    assert {(row[1], row[3]) for row in rows} == {("POST /api/orders", 2), ("another", 1)}
    trace_id = next(one.trace_id for one in recorded() if one.name == "inside")
    page = reader.get(f"/admin/traces/{trace_id}/")
    assert (page.status_code, [bar.span.name for bar in page.context["bars"]]) == (200, ["POST /api/orders", "inside"])


@pytest.mark.django_db
def test_of_an_unknown_trace_the_page_says_why_and_of_nonsense_there_is_none(sign_in, recorded) -> None:
    reader = sign_in("support")

    assert "Nothing is known of this trace" in reader.get(f"/admin/traces/{uuid4().hex}/").content.decode()
    assert reader.get("/admin/traces/../etc/").status_code == 404
    assert reader.get("/admin/traces/nonsense/").status_code == 404
    assert reader.post(f"/admin/traces/{TRACE}/").status_code in {403, 405}


@pytest.mark.django_db
def test_nobody_looks_at_traces_without_signing_in(client, recorded) -> None:
    for address in ("/admin/traces/", f"/admin/traces/{TRACE}/"):
        assert client.get(address).status_code == 302


@pytest.mark.django_db
def test_a_cache_that_is_away_takes_no_page_with_it(sign_in, trade: Trade, recorded, monkeypatch) -> None:
    def away(*args: object) -> None:
        raise RedisError

    order, reader = trade.order(), sign_in("support")
    for method in ("find", "latest", "known"):
        monkeypatch.setattr(RecentTraces, method, away)

    assert reader.get(f"/admin/orders/order/{order.id}/change/").status_code == 200
    for address in ("/admin/traces/", f"/admin/traces/{TRACE}/"):
        answer = reader.get(address)
        assert (answer.status_code, "cannot be reached" in answer.content.decode()) == (503, True)


@pytest.mark.django_db
def test_with_a_collector_the_page_leads_to_where_people_look(sign_in, anew) -> None:
    anew(TRACES_ENDPOINT="http://127.0.0.1:1/v1/traces", TRACES_URL="https://jaeger.example/trace/{trace_id}")
    answer = sign_in("support").get(f"/admin/traces/{TRACE}/")

    assert answer.status_code == 200
    assert f"https://jaeger.example/trace/{TRACE}" in answer.content.decode()


@pytest.mark.django_db
def test_who_may_not_look_at_one_domain_may_not_look_at_traces(sign_in, recorded, monkeypatch) -> None:
    from contracts.users import ROLES
    from runtime.identity import principal

    allowed = ROLES["support"] - {"payments.view_any"}
    monkeypatch.setattr(principal, "_permissions", lambda roles: allowed)
    reader = sign_in("support")

    assert [reader.get(address).status_code for address in ("/admin/traces/", f"/admin/traces/{TRACE}/")] == [403, 403]
