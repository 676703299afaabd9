"""Whoever works for a domain is heard of there, says what ails it, and is missed when it is silent."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings

from runtime.databases.clock import Now, database_time
from runtime.pulses import beating
from runtime.pulses.beating import Heart
from runtime.pulses.models import Pulse
from runtime.pulses.reading import ailments, last_heard_of
from tests.together import together, wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def well() -> Iterator[None]:
    yield
    beating.well("orders")


def rows() -> list[Pulse]:
    return list(Pulse.objects.using("orders").order_by("id"))


def grow_older(**by: float) -> None:
    Pulse.objects.using("orders").update(beaten_at=Now() - timedelta(**by))


def test_a_process_is_heard_of_by_one_row_however_often_it_beats() -> None:
    heart = Heart("relay")
    assert heart.beat(using="orders") is False
    (first,) = rows()

    heart.beat(using="orders")

    (row,) = rows()
    assert (row.id, row.role, row.host, row.pid) == (first.id, "relay", socket.gethostname(), os.getpid())
    assert row.started_at == first.started_at
    assert first.beaten_at < row.beaten_at <= database_time("orders")
    assert (row.ailment, row.said, row.ails_since) == (None, "", None)


def test_two_processes_of_a_role_are_two_rows_and_the_later_beat_counts() -> None:
    Heart("worker").beat(using="orders")
    grow_older(minutes=5)
    Heart("worker").beat(using="orders")

    heard = last_heard_of(using="orders")

    assert len(rows()) == 2
    assert heard == {"worker": rows()[1].beaten_at, "relay": None}


def test_what_ails_it_is_kept_since_it_began_and_gone_when_it_is_well() -> None:
    heart = Heart("relay")
    heart.beat(using="orders")
    beating.ails("orders", "BrokerDown", "Connection refused")
    heart.beat(using="orders")
    (first,) = ailments(using="orders")
    beating.ails("orders", "BrokerDown", "Connection reset")
    heart.beat(using="orders")

    (second,) = ailments(using="orders")
    beating.ails("orders", "BrokerDiskFull", "No room")
    heart.beat(using="orders")
    (other,) = ailments(using="orders")
    beating.well("orders")
    heart.beat(using="orders")

    assert (first.name, first.said) == ("BrokerDown", "Connection refused")
    assert (second.said, second.since) == ("Connection reset", first.since)
    assert other.name == "BrokerDiskFull"
    assert other.since > first.since
    assert ailments(using="orders") == []


def test_what_ailed_one_that_is_silent_now_is_not_told() -> None:
    beating.ails("orders", "BrokerDown", "Connection refused")
    Heart("relay").beat(using="orders")
    grow_older(seconds=16)

    assert ailments(using="orders") == []


def test_what_ails_one_domains_work_is_not_told_to_another() -> None:
    beating.ails("orders", "BrokerDown", "Connection refused")
    Heart("relay").beat(using="payments")

    assert ailments(using="payments") == []


def test_who_died_is_forgotten_after_an_hour_and_not_before() -> None:
    Heart("worker").beat(using="orders")
    grow_older(minutes=59)
    Heart("worker").beat(using="orders")
    assert len(rows()) == 2
    Pulse.objects.using("orders").filter(pk=rows()[0].pk).update(beaten_at=Now() - timedelta(minutes=61))

    Heart("relay").beat(using="orders")

    assert [row.role for row in rows()] == ["worker", "relay"]


def test_who_ends_as_it_was_told_to_takes_its_leave_and_leaves_others_alone() -> None:
    leaving, staying = Heart("worker"), Heart("worker")
    for domain in settings.HOSTED_DOMAINS:
        leaving.beat(using=domain)
        staying.beat(using=domain)

    leaving.leave()

    for domain in settings.HOSTED_DOMAINS:
        assert Pulse.objects.using(domain).count() == 1


def test_each_domain_that_is_hosted_here_has_a_beat_of_its_own() -> None:
    due = Heart("relay").timers()

    assert [timer.name for timer in due] == [f"{domain}.pulse" for domain in settings.HOSTED_DOMAINS]
    assert {timer.every for timer in due} == {5.0}


def test_in_the_background_it_beats_at_once_and_leaves_at_the_end() -> None:
    # On connections of its own: what it writes down is there for all, and so is that it is gone.
    end = Heart("worker").in_background()
    try:
        wait_until(lambda: all(Pulse.objects.using(domain).exists() for domain in settings.HOSTED_DOMAINS))
        assert [row.role for row in rows()] == ["worker"]
    finally:
        together(end)

    assert rows() == []
