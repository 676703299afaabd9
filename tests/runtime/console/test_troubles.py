"""What is wrong is told with where, since when and what to press; and of what is not wrong, nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from django.conf import settings
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils.module_loading import import_string

from apps.inventory.models import Stock
from apps.inventory.service import SERVICE as INVENTORY
from apps.payments.models import Attempt, Payment
from contracts._base import Overview, Trouble, first_id, new_id
from runtime.console.figures import Group, alarms_of
from runtime.databases.clock import Now, database_time
from runtime.messaging.models import InboxMessage, OutboxMessage
from runtime.pulses import beating
from runtime.pulses.beating import Heart
from runtime.pulses.models import Pulse
from runtime.resilience.breaker import Standing, State
from runtime.resilience.figures import teller
from runtime.saga.models import SagaRun
from tests.operators import Operator
from tests.runtime.console.cases import dead_letter, stuck
from tests.trade import Trade

pytestmark = pytest.mark.django_db

RUNBOOK = Path(settings.BASE_DIR) / "docs/runbook.md"


@pytest.fixture(autouse=True)
def everybody_works() -> Iterator[None]:
    for domain in settings.DOMAIN_ALIASES:
        for role in ("worker", "relay"):
            Heart(role).beat(using=domain)
    yield
    beating.well("orders")


def overview(domain: str = "orders") -> Overview:
    found: Overview = import_string(settings.SERVICES[domain]).overview()
    return found


def troubles(domain: str = "orders") -> list[Trouble]:
    return list(overview(domain).troubles)


def only(domain: str = "orders") -> Trouble:
    (found,) = troubles(domain)
    assert f"## {found.name}\n" in RUNBOOK.read_text(), "the runbook does not know it"
    return found


def ago(**by: float) -> Any:
    return Now() - timedelta(**by)


def about(since: datetime | None, **by: float) -> bool:
    """Whether it was so long ago, to ten seconds."""
    assert since is not None
    return abs(database_time("orders") - timedelta(**by) - since) < timedelta(seconds=10)


def told(**differently: Any) -> dict[str, Any]:
    """What a row of the outbox and one of the inbox have in common."""
    event = {"event_type": "Something", "subject": "1", "sequence": 1}
    return {"event_id": new_id(), **event, **differently}


def test_where_all_is_well_there_is_no_trouble_anywhere(trade: Trade, sign_in) -> None:
    trade.order()

    assert [troubles(domain) for domain in settings.DOMAIN_ALIASES] == [[], [], [], []]
    page = sign_in("support").get("/admin/").content.decode()
    assert "Nothing is wrong" in page
    assert "What is wrong" not in page


# --- Of runtime's part ------------------------------------------------------------------------------------------------


def test_an_event_that_is_parked(sign_in) -> None:
    dead_letter("orders")
    InboxMessage.objects.using("orders").update(parked_at=ago(minutes=5))

    found = only()

    assert (found.name, found.press) == ("EventParked", "Run again, or Give up")
    assert found.what == "1 event could not be handled, and what follows waits behind it."
    assert about(found.since, minutes=5)
    assert sign_in("support").get(found.address).context["cl"].result_count == 1


def test_processes_that_are_stuck_since_the_first_of_them(sign_in) -> None:
    SagaRun.objects.using("orders").filter(pk=stuck("orders")).update(updated_at=ago(minutes=7))
    stuck("orders")

    found = only()

    assert (found.name, found.what) == ("SagaNeedsAttention", "2 processes wait for a person.")
    assert about(found.since, minutes=7)
    assert sign_in("support").get(found.address).context["cl"].result_count == 2


def test_a_process_that_stands_at_one_step_though_nobody_gave_it_up() -> None:
    stuck("orders")
    rows = SagaRun.objects.using("orders")
    rows.update(state=SagaRun.RUNNING, step_at=ago(seconds=110), attempts=9)
    assert troubles() == []

    rows.update(step_at=ago(seconds=130))

    assert (only().name, only().what) == ("SagaDoesNotEnd", "A process stands at one step, tried 9 times.")


@pytest.mark.parametrize(("role", "name"), [("relay", "RelayStalled"), ("worker", "ProcessDown")])
def test_a_worker_or_relay_that_is_not_heard_of(role: str, name: str) -> None:
    rows = Pulse.objects.using("orders").filter(role=role)
    rows.update(beaten_at=ago(seconds=10))
    assert troubles() == []

    rows.update(beaten_at=ago(minutes=2))
    silent = only()
    rows.delete()
    unknown = only()

    assert (silent.name, silent.press) == (name, "Start anew")
    assert about(silent.since, minutes=2)
    assert (unknown.name, unknown.since) == (name, None)


def test_a_broker_that_is_full_and_one_that_is_away() -> None:
    beating.ails("orders", "BrokerDiskFull", "No room")
    heart = Heart("relay")
    heart.beat(using="orders")
    full = only()
    beating.ails("orders", "BrokerDown", "Refused")
    heart.beat(using="orders")

    assert (full.name, full.what) == ("BrokerDiskFull", "The broker takes no more events: it is full.")
    assert only().name == "BrokerDown"
    assert troubles("payments") == []


def test_events_that_are_not_sent_and_events_that_are_not_handled() -> None:
    OutboxMessage.objects.using("orders").create(
        **told(version=1, exchange="orders", routing_key="a.b", data={}, wanted=True, created_at=ago(seconds=15))
    )
    InboxMessage.objects.using("orders").create(**told(source="payments", envelope={}, received_at=ago(seconds=50)))
    assert troubles() == []

    OutboxMessage.objects.using("orders").update(created_at=ago(seconds=25))
    unsent = only()
    OutboxMessage.objects.using("orders").update(published_at=Now())
    InboxMessage.objects.using("orders").update(received_at=ago(seconds=70))

    assert unsent.name == "RelayStalled"
    assert about(unsent.since, seconds=25)
    assert only().name == "EventsAreNotHandled"


def test_a_neighbour_that_is_left_alone_leads_to_how_it_is_asked(sign_in) -> None:
    tell = teller("payments")
    try:
        tell(Standing(state=State.OPEN, failures=5))
        found = only()
        tell(Standing(state=State.HALF_OPEN, failures=5))
        assert (only().since, only().name) == (found.since, "BreakerOpen")
    finally:
        tell(Standing(state=State.CLOSED, failures=0))

    assert troubles() == []
    assert found.what == "Calls to payments fail, so it is left alone, and asked by one every few seconds."
    assert sign_in("support").get(found.address).context["cl"].result_count == 4


# --- The database -----------------------------------------------------------------------------------------------------


def test_a_database_that_keeps_one_waiting_is_told_instead_of_everything_else() -> None:
    dead_letter("orders")
    other = psycopg2.connect(**connections["orders"].get_connection_params())
    try:
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE saga_sagarun IN ACCESS EXCLUSIVE MODE")
            found = overview()
    finally:
        other.close()

    assert [trouble.name for trouble in found.troubles] == ["DatabaseSlow"]
    assert (found.records, found.machinery) == ((), ())
    assert only().name == "EventParked"


def test_a_database_that_is_away_is_told_and_the_other_domains_go_on(sign_in, monkeypatch) -> None:
    reader = sign_in("support")
    real = connections["orders"]
    monkeypatch.setitem(real.settings_dict, "PORT", "1")
    real.close()
    try:
        page = reader.get("/admin/")
    finally:
        monkeypatch.undo()
        real.close()

    assert [(alarm.trouble.name, alarm.where) for alarm in page.context["alarms"]] == [("DatabaseDown", ("Orders",))]
    assert [(group.title, group.failed) for group in page.context["groups"]] == [
        ("Orders", True),
        ("Payments", False),
        ("Inventory", False),
        ("Users", False),
    ]


# --- The stock --------------------------------------------------------------------------------------------------------


def test_stock_that_drifted(trade: Trade, sign_in) -> None:
    sku = trade.product(stock=3)
    Stock.objects.using("inventory").filter(sku_id=sku).update(on_hand=5)
    assert troubles("inventory") == []
    INVENTORY.look_for_drift()

    found = only("inventory")

    assert (found.name, found.press) == ("StockDrifted", "Set to the journal")
    assert found.what == "The stock of 1 product is not what was moved adds up to."
    assert about(found.since)
    assert sign_in("support").get(found.address).context["cl"].result_count == 1


# --- The payment provider ---------------------------------------------------------------------------------------------


def asked(trade: Trade, *outcomes: str | None) -> None:
    """These came of the last questions, a second after one another."""
    payment = Payment.objects.using("payments").get(order_id=trade.order().id)
    Attempt.objects.using("payments").all().delete()
    for number, outcome in enumerate(outcomes):
        row = Attempt(payment=payment, action="charge", outcome=outcome)
        row.started_at = database_time("payments") - timedelta(seconds=len(outcomes) - number)
        row.id = first_id(row.started_at)
        row.save(using="payments", force_insert=True)


@pytest.mark.parametrize(
    ("outcomes", "name"),
    [
        (("captured", "silent", "silent"), "ProviderSilent"),
        (("silent", None), "ProviderSilent"),
        (("silent", "key_refused"), "ProviderKeyRefused"),
        (("failed", "silent"), "ProviderSilent"),
        (("captured", "silent"), None),
        (("silent", "silent", "captured", "captured"), None),
        ((None, None), None),
        ((), None),
    ],
)
def test_a_provider_that_does_not_answer_most_questions(
    trade: Trade, outcomes: tuple[str | None, ...], name: str | None
) -> None:
    asked(trade, *outcomes)

    assert [trouble.name for trouble in troubles("payments")] == ([name] if name else [])
    if name:
        only("payments")


def test_a_provider_is_silent_since_the_first_question_after_its_last_answer(trade: Trade) -> None:
    asked(trade, "silent", "captured", "silent", "silent", "silent")

    second, third = only("payments").since, Attempt.objects.using("payments").order_by("started_at")[2]

    assert second == third.started_at


def test_what_is_asked_of_the_database_does_not_grow_with_what_the_provider_was_asked(trade: Trade) -> None:
    asked(trade, "silent", "silent")
    with CaptureQueriesContext(connections["payments"]) as few:
        overview("payments")
    asked(trade, *["silent"] * 9)
    with CaptureQueriesContext(connections["payments"]) as many:
        overview("payments")

    assert len(many) == len(few)


def test_nor_does_the_list_of_workers_with_their_number(sign_in) -> None:
    reader: Operator = sign_in("support")
    with CaptureQueriesContext(connections["orders"]) as few:
        reader.get("/admin/orders/pulse/")
    for _ in range(5):
        Heart("worker").beat(using="orders")
    with CaptureQueriesContext(connections["orders"]) as many:
        page = reader.get("/admin/orders/pulse/")

    assert page.context["cl"].result_count == 7
    assert len(many) == len(few)


# --- The first page ---------------------------------------------------------------------------------------------------


def trouble(name: str, since: datetime | None = None) -> Trouble:
    return Trouble(name=name, what=f"{name} it is.", since=since, address=f"/admin/{uuid4()}/", press="")


def test_what_several_domains_say_of_themselves_is_one_trouble_since_the_first_of_them() -> None:
    now = database_time("orders")
    later, earlier = trouble("A", now), trouble("A", now - timedelta(minutes=1))
    groups = [
        Group(title="Orders", address="", troubles=(later, trouble("B"))),
        Group(title="Users", address="", troubles=(earlier,)),
    ]

    found = alarms_of(groups)

    assert [(alarm.trouble.name, alarm.where) for alarm in found] == [("A", ("Orders", "Users")), ("B", ("Orders",))]
    assert found[0].trouble is earlier


def test_the_first_page_says_what_where_since_when_and_what_to_press(sign_in) -> None:
    dead_letter("orders")
    InboxMessage.objects.using("orders").update(parked_at=ago(minutes=5))
    reader: Operator = sign_in("support")

    page = reader.get("/admin/").content.decode()

    assert "What is wrong" in page
    assert "<strong>Orders</strong>" in page
    assert "for 5\xa0minutes" in page
    assert 'href="/admin/orders/deadletters/">Run again, or Give up</a>' in page
    assert 'href="/admin/runbook/#eventparked">Runbook: EventParked</a>' in page
    assert "eventparked" in reader.get("/admin/runbook/").content.decode()


def test_one_domains_page_has_its_troubles_and_no_others(sign_in) -> None:
    dead_letter("orders")
    dead_letter("payments")

    alarms = sign_in("support").get("/admin/payments/").context["alarms"]

    assert [alarm.where for alarm in alarms] == [("Payments",)]
