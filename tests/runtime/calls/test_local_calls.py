"""A call within one process has a remote call's manners: values are copied, errors typed, transactions closed."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connections, transaction

from contracts._base import Money, Unavailable
from runtime.calls import BrokenService, CallInsideTransaction
from runtime.calls.local import LocalClient
from runtime.codec import NotDecodable
from runtime.databases.transactions import snapshot
from tests.runtime.calls.services import Box, Boxes, BoxMissing, Keeps

BOX = Box(
    id=UUID(int=1),
    price=Money(Decimal("12.5"), "GBP"),
    packed_at=datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC),
    tags=("a", "ü"),
)


def client(service: Keeps) -> Boxes:
    return LocalClient(domain="boxes", protocol=Boxes, service=service)


def raising(error: Exception):
    def answer():
        raise error

    return answer


# --- Values ---------------------------------------------------------------------------------------------------------


def test_what_nobody_can_change_is_handed_over_as_it_is():
    service = Keeps()

    answer = client(service).pack(box=BOX, labels=("x",))

    assert service.given == [{"box": BOX, "labels": ("x",)}]
    assert answer is service.given[0]["box"] is BOX


def test_what_the_service_changes_afterwards_does_not_reach_the_caller():
    tags = ["a"]
    box = replace(BOX, tags=tags)
    service = Keeps(answer=lambda: box)

    answer = client(service).pack(box=BOX, labels=())
    tags.append("b")

    assert answer == replace(BOX, tags=("a",))
    assert answer is not box


def test_what_the_caller_changes_afterwards_does_not_reach_the_service():
    service, labels = Keeps(), ["x"]

    client(service).pack(box=BOX, labels=labels)
    labels.append("y")

    assert service.given[0]["labels"] == ("x",)


@pytest.mark.parametrize(
    "arguments",
    [
        {"box": "a box", "labels": []},
        {"box": BOX, "labels": [1]},
        {"box": BOX, "labels": object()},
        {"box": BOX, "labels": None},
    ],
)
def test_what_could_not_travel_is_refused_before_the_service_runs(arguments):
    service = Keeps()

    with pytest.raises(NotDecodable):
        client(service).pack(**arguments)

    assert service.given == []


def test_an_answer_that_could_not_travel_is_the_services_bug():
    service = Keeps(answer=lambda: "a word")

    with pytest.raises(BrokenService, match=r"boxes.count failed: NotDecodable: 'a word' cannot travel as .*int"):
        client(service).count(shelf="a")


# --- Methods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["not_in_the_contract", "_private", "given"])
def test_only_what_the_contract_names_can_be_reached(name):
    with pytest.raises(AttributeError, match=f"the contract of boxes has no method '{name}'"):
        getattr(client(Keeps()), name)


def test_arguments_go_by_name_only():
    service = Keeps()

    with pytest.raises(TypeError):
        client(service).count("a")
    with pytest.raises(TypeError, match=r"^boxes\.count has no parameter 'floor'$"):
        client(service).count(shelf="a", floor=1)

    assert service.given == []


# --- Errors ---------------------------------------------------------------------------------------------------------


def test_a_foreseen_error_arrives_as_itself_with_its_facts():
    with pytest.raises(BoxMissing) as raised:
        client(Keeps(answer=raising(BoxMissing(boxes=["b1"])))).count(shelf="a")

    assert (raised.value.code, raised.value.detail) == ("box_missing", "No such box.")
    assert raised.value.data == {"boxes": ["b1"]}
    assert raised.value.may_have_run is False


def test_an_unforeseen_error_is_the_services_bug_and_says_which_call_and_why():
    cause = ZeroDivisionError("division by zero")

    with pytest.raises(BrokenService, match=r"^boxes.count failed: ZeroDivisionError: division by zero$") as raised:
        client(Keeps(answer=raising(cause))).count(shelf="a")

    assert raised.value.__cause__ is cause


@pytest.mark.parametrize("error", [IntegrityError("a rule"), DatabaseError("a bad statement")])
def test_a_database_that_answers_no_is_a_bug_and_not_an_outage(error):
    with pytest.raises(BrokenService):
        client(Keeps(answer=raising(error))).count(shelf="a")


@pytest.mark.parametrize(
    "statement",
    ["SELECT pg_terminate_backend(pg_backend_pid())", "SET statement_timeout = 1; SELECT pg_sleep(1)"],
    ids=["connection lost", "too slow"],
)
def test_a_database_that_cannot_answer_is_an_outage_that_may_have_run(committed, statement):
    def answer():
        with connections["orders"].cursor() as cursor:
            cursor.execute(statement)

    with pytest.raises(Unavailable, match="boxes cannot reach its database") as raised:
        client(Keeps(answer=answer)).count(shelf="a")

    assert raised.value.may_have_run is True
    connections["orders"].close()


# --- Transactions ---------------------------------------------------------------------------------------------------


def plain():
    return transaction.atomic(using="orders")


def durable():
    return transaction.atomic(using="orders", durable=True)


def in_another_alias():
    return transaction.atomic(using="payments")


def of_one_moment():
    return snapshot("orders")


@pytest.mark.parametrize("opened", [plain, durable, in_another_alias, of_one_moment])
def test_a_call_inside_a_transaction_is_refused_and_does_not_run(committed, opened):
    service, alias = Keeps(), "payments" if opened is in_another_alias else "orders"

    with (
        opened(),
        pytest.raises(CallInsideTransaction, match=f"boxes.count was called inside a transaction on {alias}"),
    ):
        client(service).count(shelf="a")

    assert service.given == []
    assert client(service).count(shelf="a") == 7


def test_a_call_inside_a_savepoint_is_refused_also_after_the_inner_block(committed):
    service = Keeps()

    with transaction.atomic(using="orders"):
        with transaction.atomic(using="orders"), pytest.raises(CallInsideTransaction):
            client(service).count(shelf="a")
        with pytest.raises(CallInsideTransaction):
            client(service).count(shelf="a")

    assert service.given == []


def test_a_call_with_autocommit_off_is_refused(committed):
    service = Keeps()
    transaction.set_autocommit(False, using="orders")
    try:
        with pytest.raises(CallInsideTransaction, match="orders"):
            client(service).count(shelf="a")
    finally:
        transaction.rollback(using="orders")
        transaction.set_autocommit(True, using="orders")

    assert service.given == []
    assert client(service).count(shelf="a") == 7


def test_both_aliases_are_named_where_both_have_a_transaction_open(committed):
    with (
        transaction.atomic(using="orders"),
        transaction.atomic(using="users"),
        pytest.raises(CallInsideTransaction, match=r"on (orders, users|users, orders): commit first"),
    ):
        client(Keeps()).count(shelf="a")


def test_a_call_is_allowed_once_the_transaction_is_committed_also_in_on_commit(committed):
    answers = []

    with transaction.atomic(using="orders"):
        transaction.on_commit(lambda: answers.append(client(Keeps()).count(shelf="a")), using="orders")

    assert answers == [7]


def test_a_transaction_of_another_thread_is_none_of_ours(committed):
    answers = []

    def ask():
        answers.append(client(Keeps()).count(shelf="a"))
        connections.close_all()

    with transaction.atomic(using="orders"):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(10)

    assert answers == [7]


@pytest.mark.django_db
def test_a_test_cases_own_transaction_does_not_count_and_one_opened_inside_it_does():
    service = Keeps()
    assert client(service).count(shelf="a") == 7

    with transaction.atomic(using="orders"), pytest.raises(CallInsideTransaction):
        client(service).count(shelf="a")

    assert len(service.given) == 1
