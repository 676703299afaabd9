"""What /metrics says of events is what became true and what was tried."""

from __future__ import annotations

from django.db import transaction

from runtime.messaging import publish
from tests.growth import Growth
from tests.runtime.messaging.small_world import Happened
from tests.runtime.messaging.test_inbox import event, retry, take_in

EVENTS, TRIES = "mitosis_events_total", "mitosis_inbox_tries_total"


def test_an_event_is_counted_when_it_is_committed(world):
    grown = Growth()
    with transaction.atomic(using="orders"):
        publish(Happened(thing="a", number=1), using="orders")
        assert grown.of(EVENTS) == {}

    assert grown.of(EVENTS) == {("orders", "Happened"): 1}


def test_an_event_that_was_rolled_back_is_not_counted(world):
    grown = Growth()
    with transaction.atomic(using="orders"):
        publish(Happened(thing="a", number=1), using="orders")
        transaction.set_rollback(True, using="orders")

    assert grown.of(EVENTS) == {}


def test_each_try_of_a_consumer_is_counted_with_its_result_and_a_copy_is_no_try(world):
    good, late, bad = event("a"), event("b", 2, after={"inventory": 1}), event("c", wish="raise once")
    grown = Growth()
    for each in (good, good, late, bad):
        take_in(each)

    assert grown.of(TRIES) == {
        ("inventory", "Happened", "handled"): 1,
        ("inventory", "Happened", "waiting"): 1,
        ("inventory", "Happened", "failed"): 1,
    }
    assert retry(bad)
    assert grown.of(TRIES)["inventory", "Happened", "handled"] == 2


def test_an_event_that_is_given_to_a_person_is_counted_as_parked_and_not_as_failed(world, settings):
    settings.EVENT_ATTEMPTS = 1
    grown = Growth()

    take_in(event(wish="raise"))

    assert grown.of(TRIES) == {("inventory", "Happened", "parked"): 1}
