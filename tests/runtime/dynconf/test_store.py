"""One table has every change, counted; who made it is in the audit of the same transaction."""

from __future__ import annotations

import select
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections

from contracts._base import new_id
from runtime.audit.models import AuditEntry
from runtime.audit.store import COMMAND_LINE, Decision
from runtime.dynconf import store
from runtime.dynconf.declared import BadValue, UnknownValue
from runtime.dynconf.models import DynamicValue
from runtime.dynconf.values import Snapshot
from tests.together import together


def decision(reason: str = "A test.", *, key: UUID | None = None) -> Decision:
    return Decision(operator=COMMAND_LINE, reason=reason, key=key or new_id())


@pytest.mark.django_db
def test_changes_are_counted_and_what_is_so_already_changes_nothing():
    assert store.read() == Snapshot(version=0, texts={})

    first = store.change(key="orders.budget", text=" 1.5s ")
    second = store.change(key="orders.accepting", text="off")
    same = store.change(key="orders.budget", text="1500ms")
    back = store.change(key="orders.budget", text=None)

    assert (first.before, first.after, first.version) == (None, "1500ms", 1)
    assert (second.before, second.after, second.version) == (None, "off", 2)
    assert (same.before, same.after, same.version) == ("1500ms", "1500ms", 2)
    assert (back.before, back.after, back.version) == ("1500ms", None, 3)
    assert store.read() == Snapshot(version=3, texts={"orders.accepting": "off"})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("key", "text", "refusal"),
    [("orders.budget", "61s", BadValue), ("orders.budget", "", BadValue), ("a.thing", "1", UnknownValue)],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(key, text, refusal):
    with pytest.raises(refusal):
        store.change(key=key, text=text, decision=decision())

    assert DynamicValue.objects.using("users").count() == 0
    assert store.history() == []


@pytest.mark.django_db
def test_who_and_why_and_before_and_after_are_written_down_with_the_change(settings):
    settings.ORDER_BUDGET = 3.0

    store.change(key="orders.budget", text="1s", decision=decision("Slow."))
    store.change(key="orders.budget", text=None, decision=decision("Well again."))
    store.change(key="orders.accepting", text="off", decision=decision("Stocktaking."))

    latest, back, first = store.history()
    assert (first.operator, first.action, first.object_id) == (COMMAND_LINE, "users.change_value", "orders.budget")
    assert first.before == {"value": "3s", "default": True}
    assert first.after == back.before == {"value": "1s", "default": False}
    assert back.after == {"value": "3s", "default": True}
    assert [entry.reason for entry in (first, back, latest)] == ["Slow.", "Well again.", "Stocktaking."]
    assert [entry.reason for entry in store.history(key="orders.accepting")] == ["Stocktaking."]


def test_a_change_that_cannot_be_audited_is_not_made(committed):
    with connections["users"].cursor() as cursor:
        cursor.execute("SELECT 1")
    unwritable = Decision(operator="nobody", reason="A test.", key=new_id())  # type: ignore[arg-type]

    with pytest.raises(Exception, match="nobody"):
        store.change(key="orders.budget", text="1s", decision=unwritable)

    assert store.read() == Snapshot(version=0, texts={})


def test_changes_at_the_same_time_are_made_one_after_another(committed):
    keys = [f"calls.{domain}.retry_percent" for domain in ("users", "inventory", "payments", "orders")]

    answers = together(*(lambda n=n, key=key: store.change(key=key, text=str(n)) for n in (1, 2, 3, 4) for key in keys))

    assert sorted(answer.version for answer in answers) == list(range(1, 17))
    assert store.read().version == 16


def test_postgresql_tells_of_a_change_when_it_is_committed(committed):
    connection = connections["users"].copy()
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {store.CHANNEL}")
    raw = connection.connection

    store.change(key="orders.budget", text="1s")

    assert select.select([raw], [], [], 10.0)[0]
    raw.poll()
    assert [notice.payload for notice in raw.notifies] == ["1"]
    connection.close()


def test_the_running_role_cannot_change_what_was_written_down(committed):
    store.change(key="orders.budget", text="1s", decision=decision())

    with pytest.raises(DatabaseError, match="permission denied"):
        AuditEntry.objects.using("users").update(reason="Another.")


# --- From the command line ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_command_line_changes_lists_and_tells(capsys, settings):
    settings.ORDER_BUDGET = 3.0
    call_command("dynamic_values", "set", "orders.budget", "1s", "--reason", "Slow.")
    assert capsys.readouterr().out == "orders.budget was 3s and is 1s now (version 1).\n"

    call_command("dynamic_values", "list")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("orders.budget")]
    assert line.split()[:6] == ["orders.budget", "1s", "3s", "from", "0s", "to"]

    call_command("dynamic_values", "reset", "orders.budget", "--reason", "Well again.")
    capsys.readouterr()
    call_command("dynamic_values", "history")
    told = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [line[1:6] for line in told] == [
        ["command", "line", "orders.budget", "1s", "3s"],
        ["command", "line", "orders.budget", "3s", "1s"],
    ]


@pytest.mark.django_db
def test_the_command_line_refuses_in_a_sentence(settings):
    with pytest.raises(CommandError, match=r"orders.budget='soon' cannot be used: it is a number with ms"):
        call_command("dynamic_values", "set", "orders.budget", "soon", "--reason", "A test.")
    settings.HOSTED_DOMAINS = ("orders",)
    with pytest.raises(CommandError, match="Values are kept by users, which is not hosted here"):
        call_command("dynamic_values", "list")
