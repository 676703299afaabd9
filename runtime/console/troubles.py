"""
What is wrong in a domain, since when, and what to press: each in a sentence, with its section of the runbook.

The limits are those of deploy/prometheus/alerts.yml, without its patience: a page that somebody opens tells at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min

from contracts._base import Trouble
from runtime.console.records import address_of_list
from runtime.databases.clock import Now, database_time
from runtime.messaging import deadletters
from runtime.messaging.models import InboxMessage, OutboxMessage
from runtime.pulses import reading
from runtime.resilience import State
from runtime.resilience.figures import neighbours
from runtime.saga.models import SagaRun

__all__ = ["machinery_troubles"]

_UNSENT_FOR = timedelta(seconds=20)
_UNHANDLED_FOR = timedelta(seconds=60)
_STANDING_FOR = timedelta(seconds=120)


def machinery_troubles(domain: str, *, values: str) -> tuple[Trouble, ...]:
    """Of runtime's part of a domain. ``values``: the domain that has the values which change while everything runs."""
    return (
        *_stuck(domain),
        *_parked(domain),
        *_neighbours(values),
        *_missing(domain),
        *_ailing(domain),
        *_unsent(domain),
        *_unhandled(domain),
        *_standing(domain),
    )


def _stuck(domain: str) -> Iterator[Trouble]:
    runs = SagaRun.objects.using(domain).filter(state=SagaRun.NEEDS_ATTENTION)
    found = runs.aggregate(since=Min("updated_at"), number=Count("pk"))
    if found["number"]:
        yield Trouble(
            name="SagaNeedsAttention",
            what=f"{_many(found['number'], 'process waits', 'processes wait')} for a person.",
            since=found["since"],
            address=address_of_list(domain, "sagarun", state=SagaRun.NEEDS_ATTENTION),
            press="Try again, or Undo all",
        )


def _parked(domain: str) -> Iterator[Trouble]:
    events = InboxMessage.objects.using(domain).filter(deadletters.PARKED)
    found = events.aggregate(since=Min("parked_at"), number=Count("pk"))
    if found["number"]:
        number = _many(found["number"], "event", "events")
        yield Trouble(
            name="EventParked",
            what=f"{number} could not be handled, and what follows waits behind it.",
            since=found["since"],
            address=address_of_list(domain, "deadletters"),
            press="Run again, or Give up",
        )


def _neighbours(values: str) -> Iterator[Trouble]:
    """Once for each that is left alone, by whichever process began with it."""
    since: dict[str, datetime] = {}
    for each in neighbours():
        if each.state is not State.CLOSED:
            since[each.callee] = min(each.since, since.get(each.callee, each.since))
    for callee, at in since.items():
        yield Trouble(
            name="BreakerOpen",
            what=f"Calls to {callee} fail, so it is left alone, and asked by one every few seconds.",
            since=at,
            address=address_of_list(values, "dynamicvalue", q=f"calls.{callee}"),
            press=f"How {callee} is asked: Change, or Back to default",
        )


def _missing(domain: str) -> Iterator[Trouble]:
    now = database_time(domain)
    for role, heard in reading.last_heard_of(using=domain).items():
        if heard is None or heard < now - reading.MISSED_AFTER:
            yield Trouble(
                name="RelayStalled" if role == "relay" else "ProcessDown",
                what=f"No {role} is heard of: it is dead, or hangs.",
                since=heard,
                address=address_of_list(domain, "pulse"),
                press="Start anew",
            )


def _ailing(domain: str) -> Iterator[Trouble]:
    for each in reading.ailments(using=domain):
        what = (
            "The broker takes no more events: it is full."
            if each.name == "BrokerDiskFull"
            else ("The broker is out of the relay's reach.")
        )
        address = address_of_list(domain, "outboxmessage", sent="waiting")
        yield Trouble(name=each.name, what=what, since=each.since, address=address, press="")


def _unsent(domain: str) -> Iterator[Trouble]:
    late = OutboxMessage.objects.using(domain).filter(
        published_at=None, wanted=True, created_at__lt=Now() - _UNSENT_FOR
    )
    if since := late.aggregate(since=Min("created_at"))["since"]:
        address = address_of_list(domain, "outboxmessage", sent="waiting")
        yield Trouble(name="RelayStalled", what="Events wait to be sent.", since=since, address=address, press="")


def _unhandled(domain: str) -> Iterator[Trouble]:
    late = InboxMessage.objects.using(domain).filter(
        handled_at=None, parked_at=None, received_at__lt=Now() - _UNHANDLED_FOR
    )
    if since := late.aggregate(since=Min("received_at"))["since"]:
        address = address_of_list(domain, "inboxmessage", handled="waiting")
        yield Trouble(
            name="EventsAreNotHandled", what="Events came and are not handled.", since=since, address=address, press=""
        )


def _standing(domain: str) -> Iterator[Trouble]:
    runs = SagaRun.objects.using(domain).filter(state__in=SagaRun.UNFINISHED, step_at__lt=Now() - _STANDING_FOR)
    found = runs.aggregate(since=Min("step_at"), tries=Max("attempts"))
    if found["since"]:
        yield Trouble(
            name="SagaDoesNotEnd",
            what=f"A process stands at one step, tried {_many(found['tries'], 'time', 'times')}.",
            since=found["since"],
            address=address_of_list(domain, "sagarun", state=SagaRun.RUNNING),
            press="",
        )


def _many(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
