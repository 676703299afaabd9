"""What people do about dead letters at the command line, and what the figures say of them."""

from __future__ import annotations

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from runtime.audit.models import AuditEntry
from runtime.messaging import deadletters, inbox
from runtime.messaging.figures import EventFigures
from runtime.messaging.models import InboxMessage
from tests.effects import seen
from tests.runtime.messaging.test_inbox import event, follows, row_of


def command(*words: str) -> str:
    out = StringIO()
    call_command("dead_letters", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def parked(world, settings):
    """Inventory's dead letter of the subject a, with another event behind it."""
    settings.EVENT_ATTEMPTS = 1
    first = event("a", 1, wish="raise once")
    for envelope in (first, follows("a", 2, 1), event("b", 1)):
        inbox.receive(envelope, consumer="inventory")
    assert row_of(first).parked_at is not None
    return first


def test_where_nothing_is_parked_the_list_says_so(world):
    assert command("list") == "No dead letters.\n"


def test_the_list_has_each_dead_letter_with_its_error_and_fails_as_long_as_there_is_one(parked):
    out = StringIO()
    with pytest.raises(CommandError, match=r"^1 dead letters wait for somebody\.$") as failed:
        call_command("dead_letters", "list", stdout=out)

    assert failed.value.returncode == 1
    (line,) = [line for line in out.getvalue().splitlines() if str(parked.event_id) in line]
    assert line.split()[:6] == ["inventory", "Happened", str(parked.event_id), "a", "1", "1"]
    assert "ZeroDivisionError: raise once" in line
    assert command("list", "--domain", "payments") == "No dead letters.\n"


def test_a_replayed_event_has_its_effect_once_and_the_later_ones_follow(parked):
    said = command("replay", str(parked.event_id), "--domain", "inventory", "--reason", "It is mended.")
    with pytest.raises(CommandError, match="so nothing was done"):
        command("replay", str(parked.event_id), "--domain", "inventory", "--reason", "It is mended.")
    for turn in inbox.take_due(consumer="inventory", limit=10):
        inbox.retry(turn, consumer="inventory")

    assert said == f"{parked.event_id}  Happened runs again; 1 waited behind it.\n"
    assert seen("inventory") == ["b:1", "a:1", "a:2"]
    (entry,) = AuditEntry.objects.using("inventory").all()
    assert (entry.action, entry.reason) == ("inventory.replay_event", "It is mended.")


def test_a_discarded_event_has_none_and_the_later_ones_go_on(parked):
    said = command("discard", str(parked.event_id), "--domain", "inventory", "--reason", "Done by hand.")
    for turn in inbox.take_due(consumer="inventory", limit=10):
        inbox.retry(turn, consumer="inventory")

    assert said == f"{parked.event_id}  Happened is given up; 1 waited behind it.\n"
    assert seen("inventory") == ["b:1", "a:2"]
    assert not deadletters.parked(consumer="inventory").exists()


def test_an_id_that_is_no_dead_letter_is_named_and_the_others_are_done_all_the_same(parked):
    stranger = uuid4()
    with pytest.raises(CommandError, match=str(stranger)):
        command("discard", str(stranger), str(parked.event_id), "--domain", "inventory", "--reason", "A test.")

    assert InboxMessage.objects.using("inventory").get(pk=parked.event_id).discarded_at is not None


def test_the_figures_tell_the_parked_from_the_waiting(parked):
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in EventFigures().collect()
        for sample in family.samples
    }

    assert found["mitosis_inbox_parked", "inventory"] == 1
    assert found["mitosis_inbox_waiting", "inventory"] == 1
    assert found["mitosis_inbox_parked", "payments"] == found["mitosis_inbox_waiting", "payments"] == 0
    assert found["mitosis_outbox_waiting", "orders"] == 0
