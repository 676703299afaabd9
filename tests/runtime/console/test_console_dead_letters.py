"""Dead letters at the console: the error is shown, and an operator has the event run again or gives it up, once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts._base import new_id
from runtime.audit.models import AuditEntry
from runtime.databases.clock import Now
from runtime.messaging.models import InboxMessage

pytestmark = pytest.mark.django_db

LIST = "/admin/inventory/deadletters/"


def letter(sequence: int = 1, *, parked: bool = True) -> InboxMessage:
    row = InboxMessage(
        event_id=new_id(),
        event_type="OrderShipped",
        source="orders",
        subject="01a20000-0000-7000-8000-000000000001",
        sequence=sequence,
        after=sequence - 1 or None,
        envelope={"data": {"orderId": "the envelope is shown"}},
        attempts=6,
        due_at=None,
        parked_at=datetime.now(UTC) if parked else None,
        error="ZeroDivisionError: it cannot be done" if parked else None,
    )
    row.save(using="inventory", force_insert=True)
    return row


def again(row: InboxMessage) -> InboxMessage:
    return InboxMessage.objects.using("inventory").get(pk=row.pk)


def test_the_list_has_what_is_parked_with_its_error_and_what_waits_behind_it(sign_in: Any) -> None:
    parked, _behind = letter(), letter(2, parked=False)

    answer = sign_in("operator").get(LIST)

    assert [(row.pk, row.waiting) for row in answer.context["cl"].result_list] == [(parked.pk, 1)]
    assert "ZeroDivisionError: it cannot be done" in answer.content.decode()


def test_the_record_shows_the_event_and_both_buttons(sign_in: Any) -> None:
    row = letter()

    page = sign_in("operator").get(f"{LIST}{row.pk}/change/").content.decode()

    assert "the envelope is shown" in page
    for address in ("replay-event", "discard-event"):
        assert f"{LIST}{row.pk}/{address}/" in page


def test_run_again_makes_it_due_with_all_its_attempts_and_is_written_down(sign_in: Any) -> None:
    row = letter()

    answer = sign_in("operator").act(f"{LIST}{row.pk}/replay-event/", reason="It is mended.")

    assert answer.status_code == 302
    found = again(row)
    assert (found.parked_at, found.attempts, found.handled_at) == (None, 0, None)
    assert InboxMessage.objects.using("inventory").filter(pk=row.pk, due_at__lte=Now()).exists()
    (entry,) = AuditEntry.objects.using("inventory").all()
    assert (entry.action, entry.object_id, entry.reason) == (
        "inventory.replay_event", str(row.pk), "It is mended."
    )  # fmt: skip


def test_give_up_ends_it_without_an_effect_and_the_next_one_is_due(sign_in: Any) -> None:
    row, behind = letter(), letter(2, parked=False)

    answer = sign_in("operator").act(f"{LIST}{row.pk}/discard-event/", reason="Done by hand.")

    assert answer.status_code == 302
    assert again(row).discarded_at is not None
    assert again(row).handled_at is not None
    assert again(behind).due_at is not None
    assert AuditEntry.objects.using("inventory").get().action == "inventory.discard_event"


def test_support_sees_dead_letters_and_decides_nothing(sign_in: Any) -> None:
    row = letter()
    support = sign_in("support")

    assert support.get(f"{LIST}{row.pk}/change/").status_code == 200
    answer = support.post(f"{LIST}{row.pk}/discard-event/", {"reason": "No.", "key": str(new_id())})
    assert answer.status_code == 403
    assert again(row).discarded_at is None
