"""A call is the same call in one process, to another thread's server, and to a process of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from contracts._base import ContractError, DeadlineExceeded, Money, Rejected, Superseded, Unavailable
from runtime.calls import BrokenService, CallInsideTransaction, Lease, call
from runtime.calls.manners import LARGEST_ANSWER
from runtime.codec import NotDecodable
from runtime.http.parser import LARGEST_BODY
from runtime.identity.principal import Principal
from runtime.identity.speaking import speaking_for
from runtime.identity.tokens import issue
from runtime.telemetry.tracing import continue_or_start, working_on
from tests.runtime.calls.depot import NotInTheContract, ShelfFull
from tests.runtime.calls.services import Box, BoxMissing

BOX = Box(
    id=UUID(int=1),
    price=Money(Decimal("12.5"), "GBP"),
    packed_at=datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC),
    tags=("a", "ü", "\U0001f4e6", ""),
)


# --- Values ---------------------------------------------------------------------------------------------------------


def test_what_comes_back_is_equal_and_not_the_same_object(depot):
    answer = depot.pack(box=BOX, labels=["x"])

    assert answer == BOX
    assert answer is not BOX
    assert answer.price is not BOX.price


def test_an_argument_that_is_not_given_has_its_default(depot):
    assert depot.count(shelf="four") == 4
    assert depot.count(shelf="four", floor=10) == 14


def test_a_method_that_answers_nothing_answers_none(depot, committed):
    assert depot.move() is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"box": "a box", "labels": []},
        {"box": BOX, "labels": [1]},
        {"box": BOX, "labels": object()},
        {"box": BOX, "labels": None},
    ],
    ids=["another type", "another type inside", "an object", "none"],
)
def test_what_could_not_travel_is_refused_and_does_not_run(depot, arguments):
    before = depot.times(deed="pack")

    with pytest.raises(NotDecodable):
        depot.pack(**arguments)

    assert depot.times(deed="pack") == before


def test_an_answer_that_could_not_travel_is_the_services_bug(depot):
    with pytest.raises(BrokenService, match=r"^depot.act failed: .*NotDecodable"):
        depot.act(deed="another type")


def test_arguments_over_the_limit_are_refused_and_do_not_run_and_those_below_arrive_whole(depot):
    largest = LARGEST_BODY - len('{"shelf":""}')
    before = depot.times(deed="count")

    with pytest.raises(BrokenService, match=r"arguments are larger than 2,097,152 bytes; it did not run$"):
        depot.count(shelf="x" * (largest + 1))

    assert depot.times(deed="count") == before
    assert depot.count(shelf="x" * largest) == largest


def test_an_answer_over_the_limit_is_the_services_bug_and_one_below_arrives_whole(depot):
    with pytest.raises(BrokenService, match=r"^depot.label failed: .*NotDecodable"):
        depot.label(length=LARGEST_ANSWER)

    assert len(depot.label(length=LARGEST_ANSWER - 2)) == LARGEST_ANSWER - 2


# --- Methods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["not_in_the_contract", "_private", "given"])
def test_only_what_the_contract_names_can_be_reached(depot, name):
    with pytest.raises(AttributeError, match=f"the contract of depot has no method '{name}'"):
        getattr(depot, name)


def test_arguments_go_by_name_and_by_a_known_one_only(depot):
    before = depot.times(deed="count")

    with pytest.raises(TypeError):
        depot.count("a")
    with pytest.raises(TypeError, match=r"^depot\.count has no parameter 'ceiling'$"):
        depot.count(shelf="a", ceiling=1)
    with pytest.raises(BrokenService, match=r"^depot.count failed: .*shelf"):
        depot.count()

    assert depot.times(deed="count") == before


# --- Errors ---------------------------------------------------------------------------------------------------------

FORESEEN = {
    "missing": (
        BoxMissing,
        "box_missing",
        "No such box.",
        {"boxes": ["b1"], "shelf": str(UUID(int=7)), "tags": ["a", "b"]},
        False,
    ),
    "full": (ShelfFull, "shelf_full", "shelf a is full", {"shelf": "a"}, False),
    "bent": (NotInTheContract, "shelf_bent", "shelf b is full", {"shelf": "b"}, False),
    "rejected": (Rejected, "rejected", "no", {"why": 1}, False),
    "unavailable": (Unavailable, "unavailable", "later", {}, True),
    "late": (
        DeadlineExceeded,
        "deadline_exceeded",
        "The time allowed for this call was already spent, so it did not run.",
        {},
        False,
    ),
    "superseded": (
        Superseded,
        "superseded",
        "This was asked under a lease that somebody else has taken over since. Nothing was done.",
        {"lease": "l", "epoch": 1},
        False,
    ),
    "outage": (Unavailable, "unavailable", "depot cannot reach its database", {}, True),
}


@pytest.mark.parametrize("deed", FORESEEN)
def test_a_foreseen_error_arrives_as_itself_with_its_facts(depot, deed):
    kind, *facts = FORESEEN[deed]

    with pytest.raises(ContractError) as raised:
        depot.act(deed=deed)

    error = raised.value
    assert type(error) is kind
    assert [error.code, error.detail, error.data, error.may_have_run] == facts
    assert str(error) == error.detail


def test_an_unforeseen_error_is_the_services_bug_and_says_which_call(depot):
    with pytest.raises(BrokenService, match=r"^depot.act failed: .*ZeroDivisionError"):
        depot.act(deed="bug")


def test_an_error_whose_facts_could_not_travel_is_the_services_bug(depot):
    with pytest.raises(BrokenService, match=r"^depot.act failed: "):
        depot.act(deed="object")


# --- Transactions ---------------------------------------------------------------------------------------------------


def test_a_call_inside_a_transaction_is_refused_and_does_not_run(depot, committed):
    before = depot.times(deed="nothing")

    with (
        transaction.atomic(using="orders"),
        pytest.raises(CallInsideTransaction, match=r"^depot.act was called inside a transaction on orders"),
    ):
        depot.act(deed="nothing")

    assert depot.times(deed="nothing") == before


# --- What travels beside --------------------------------------------------------------------------------------------


def test_a_call_whose_time_is_spent_does_not_run_and_says_so(depot):
    before = depot.times(deed="nothing")

    with call(seconds=0.0), pytest.raises(DeadlineExceeded) as raised:
        depot.act(deed="nothing")

    assert raised.value.may_have_run is False
    assert depot.times(deed="nothing") == before


def test_the_callee_has_what_is_left_of_the_callers_time_and_never_more(depot):
    with call(seconds=5.0) as limit:
        told = depot.told().remaining
        assert limit.remaining() < 5.0
        assert 3.0 < told < 5.0


def test_the_callee_works_under_the_callers_lease_and_without_one_under_none(depot):
    lease = Lease(id=uuid4(), epoch=3)

    with call(lease=lease):
        told = depot.told()
    without = depot.told()

    assert (told.lease_id, told.lease_epoch) == (lease.id, 3)
    assert (without.lease_id, without.lease_epoch) == (None, None)


def test_an_older_holder_of_a_lease_is_turned_away_by_whom_he_calls(depot, committed):
    lease_id = uuid4()
    with call(lease=Lease(id=lease_id, epoch=2)):
        depot.move()

    with call(lease=Lease(id=lease_id, epoch=1)), pytest.raises(Superseded) as raised:
        depot.move()

    assert raised.value.data == {"lease": str(lease_id), "epoch": 1}
    with call(lease=Lease(id=lease_id, epoch=2)):
        depot.move()


def test_the_callee_works_in_the_callers_trace_and_request(depot):
    trace = continue_or_start(None)

    with working_on(trace=trace, request_id="one-request"):
        told = depot.told()

    assert (told.trace_id, told.request_id) == (trace.trace_id, "one-request")


def test_the_callee_knows_the_signed_in_user_and_without_one_nobody(depot):
    user = uuid4()
    principal = Principal(id=str(user), roles=("support",))

    with speaking_for(principal, token=issue(user_id=user, roles=["support"])):
        told = depot.told()
    without = depot.told()

    assert (told.user, told.roles) == (str(user), ("support",))
    assert (without.user, without.roles) == (None, ())
