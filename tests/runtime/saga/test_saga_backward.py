"""Backward: what was done, or may have been, is undone in reverse, however long that takes; a bug is never hidden."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from django.db.utils import IntegrityError, OperationalError

from contracts._base import Money, Unavailable
from runtime.saga import store
from runtime.saga.definition import Unknown
from tests import effects
from tests.runtime.saga.small_sagas import Endless, Refused, Trip
from tests.together import shift_clock

UNDOS = {
    "ask": [],
    "hold": ["hold.undo"],
    "pay": ["pay.undo", "hold.undo"],
    "send": ["pay.undo", "hold.undo"],
    "book": ["pay.undo", "hold.undo"],
}
ORDER = list(UNDOS)


@pytest.mark.parametrize("step", ORDER)
def test_a_refusal_undoes_the_step_that_failed_and_all_before_it_in_reverse(desk, step):
    desk.plan[f"{step}.do"] = [Refused("not today", skus=["a"])]

    run = desk.go(desk.begin())

    row = desk.row(run)
    forward = [f"{name}.do" for name in ORDER[: ORDER.index(step) + 1]]
    assert desk.tries() == [*forward, *UNDOS[step], "all.undone"]
    assert (run.state, row.state, row.lease_until) == ("compensated", "compensated", None)
    assert row.refusal == {"code": "refused", "detail": "not today", "data": {"skus": ["a"]}}
    assert desk.written() == ["all.undone"]
    assert desk.log(run)[ORDER.index(step)] == (step, "do", "rejected", 1)


def test_what_a_local_step_wrote_before_it_was_refused_is_gone(desk):
    def write_and_refuse(run) -> None:
        effects.leave("orders", "half")
        raise Refused

    desk.plan["book.do"] = [write_and_refuse]

    run = desk.go(desk.begin())

    assert desk.written() == ["all.undone"]
    assert desk.done(run)[-2:] == ["pay.undo", "hold.undo"]


def test_a_refusal_found_by_inquiry_undoes_as_well(desk):
    desk.plan["pay.do"] = [Unknown()]
    desk.plan["pay.inquire"] = [Refused()]

    run = desk.go_on(desk.go(desk.begin()))

    assert run.state == "compensated"
    assert desk.tries()[-3:] == ["pay.undo", "hold.undo", "all.undone"]
    assert desk.row(run).refusal["code"] == "refused"


def test_an_undo_that_is_unavailable_is_tried_again_until_it_is_done_and_nothing_goes_forward_again(desk):
    desk.plan["pay.do"] = [Refused()]
    desk.plan["pay.undo"] = [Unavailable(), OperationalError("gone"), None]
    desk.plan["hold.undo"] = [Unavailable(), None]

    run = desk.go(desk.begin())
    assert (desk.row(run).state, desk.row(run).step, desk.row(run).attempts) == ("compensating", 2, 1)
    assert desk.row(run).lease_until is None
    for _ in range(3):
        run = desk.go_on(run)

    assert run.state == "compensated"
    assert desk.tries()[3:] == [*["pay.undo"] * 3, *["hold.undo"] * 2, "all.undone"]
    assert desk.done(run)[-2:] == ["pay.undo", "hold.undo"]
    assert ("pay", "undo", "unavailable", 2) in desk.log(run)
    assert ("pay", "undo", "succeeded", 1) in desk.log(run)
    assert desk.row(run).refusal["code"] == "refused"


def test_an_undo_whose_outcome_is_open_is_asked_again_and_never_inquired_about_as_if_it_went_forward(desk):
    desk.plan["pay.do"] = [Refused()]
    desk.plan["pay.undo"] = [Unknown(detail="captured"), None]

    run = desk.go(desk.begin())
    assert desk.row(run).state == "compensating"
    run = desk.go_on(run)

    assert run.state == "compensated"
    assert desk.tries().count("pay.undo") == 2
    assert "pay.inquire" not in desk.tries()


def test_from_the_turn_on_the_next_holder_goes_back_also_where_the_first_died_before_any_undo(desk):
    desk.plan["pay.do"] = [Refused()]
    desk.plan["pay.undo"] = [lambda run: _raise(SystemExit)]
    run = desk.begin()
    with pytest.raises(SystemExit):
        desk.go(run)
    desk.plan.clear()
    shift_clock("orders", "21 seconds")

    run = desk.go_on(run)

    assert run.state == "compensated"
    assert desk.tries().count("pay.do") == 1
    assert desk.tries()[-3:] == ["pay.undo", "hold.undo", "all.undone"]


def test_what_is_written_at_the_end_of_the_undoing_is_one_transaction_with_the_end(desk):
    def write_and_lose(run) -> None:
        effects.leave("orders", "half")
        raise OperationalError("gone")

    desk.plan["ask.do"] = [Refused()]
    desk.plan["all.undone"] = [write_and_lose]
    run = desk.go(desk.begin())
    assert (desk.row(run).state, desk.written()) == ("compensating", [])

    assert desk.go_on(run).state == "compensated"
    assert desk.written() == ["all.undone"]


# --- Bugs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), IntegrityError("a rule")])
def test_a_bug_stops_the_process_where_it_is_marked_and_visible(desk, error):
    desk.plan["send.do"] = [error]

    run = desk.go(desk.begin())

    row = desk.row(run)
    assert (row.state, row.step, row.lease_until) == ("needs_attention", 3, None)
    assert row.error == f"{type(error).__name__}: {error}"
    assert desk.log(run)[-1] == ("send", "do", "failed", 1)
    assert desk.tries() == ["ask.do", "hold.do", "pay.do", "send.do"]
    assert store.unfinished_subjects([run.subject], using="orders") == {run.subject}


def test_what_needs_attention_is_left_alone_until_somebody_looks(desk):
    desk.plan["ask.do"] = [ZeroDivisionError()]
    run = desk.go(desk.begin())
    store.wake(Trip, subject=run.subject)
    shift_clock("orders", "1 day")

    assert store.take_due(using="orders", limit=10, nudge_again=store.LEASE) == []
    assert store.claim(run.id, using="orders") is None


def test_a_refusal_of_a_process_that_has_nothing_to_turn_back_to_is_not_hidden_as_an_end(desk):
    desk.plan["send.do"] = [Refused("no")]

    run = desk.go(desk.begin(Endless))

    row = desk.row(run)
    assert (row.state, row.step, row.error) == ("needs_attention", 1, "Refused: no")
    assert desk.log(run)[1:] == [("send", "do", "rejected", 1), ("send", "do", "failed", 1)]


def test_the_facts_of_a_refusal_are_kept_whatever_contract_values_they_are(desk):
    left = Money(Decimal("5"), "GBP")
    desk.plan["hold.do"] = [Refused("too much", left=left, order=UUID(int=1), lines=(left,))]

    run = desk.go(desk.begin())

    told = {"amount": "5.00", "currency": "GBP"}
    assert (run.state, desk.row(run).state) == ("compensated", "compensated")
    assert desk.row(run).refusal["data"] == {"left": told, "order": str(UUID(int=1)), "lines": [told]}


def test_a_refusal_whose_facts_cannot_be_written_down_is_a_bug(desk):
    desk.plan["hold.do"] = [Refused("no", thing=object())]

    run = desk.go(desk.begin())

    assert desk.row(run).state == "needs_attention"
    assert "hold.undo" not in desk.tries()


@pytest.mark.parametrize("error", [Refused("an undo must not refuse"), ZeroDivisionError("oops")])
def test_an_undo_that_refuses_or_fails_is_a_bug_and_not_an_end(desk, error):
    desk.plan["pay.do"] = [Refused()]
    desk.plan["pay.undo"] = [error]

    run = desk.go(desk.begin())

    row = desk.row(run)
    assert (row.state, row.step) == ("needs_attention", 2)
    assert row.error == f"{type(error).__name__}: {error}"
    assert desk.log(run)[-1] == ("pay", "undo", "failed", 1)
    assert "hold.undo" not in desk.tries()
    assert desk.written() == []


def _raise(error: type[BaseException]) -> None:
    raise error
