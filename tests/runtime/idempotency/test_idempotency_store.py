"""A key is run once, its answer is given again, and a run that died does not hold it for ever."""

from __future__ import annotations

import pytest
from django.db import connections

from runtime.idempotency.models import IdempotencyKey
from runtime.idempotency.store import Answer, KeyReused, Run, StillRunning, begin, finish, free, prune

ANSWER = Answer(status=201, headers={"Location": "/x"}, body='{"a":1}')


def start(**changes: str) -> Run | Answer:
    asked = {"principal": "ada", "route": "POST /things", "key": "k", "fingerprint": "f", **changes}
    return begin(using="inventory", **asked)


def shift_clock(by: str) -> None:
    with connections["inventory"].cursor() as cursor:
        cursor.execute("SELECT set_config('mitosis.clock_shift', %s, false)", [by])


@pytest.fixture(autouse=True)
def clock_back():
    yield
    for connection in connections.all(initialized_only=True):
        if connection.alias == "inventory":
            connection.close()


pytestmark = pytest.mark.django_db


def test_the_first_to_come_runs_and_the_next_has_to_wait():
    assert isinstance(start(), Run)
    with pytest.raises(StillRunning):
        start()


def test_what_was_answered_is_answered_again():
    assert finish(start(), ANSWER)

    assert start() == start() == ANSWER


def test_another_request_under_the_key_is_refused_while_running_and_afterwards():
    run = start()
    with pytest.raises(KeyReused):
        start(fingerprint="other")
    finish(run, ANSWER)
    with pytest.raises(KeyReused):
        start(fingerprint="other")


@pytest.mark.parametrize("other", [{"principal": "eve"}, {"route": "POST /others"}, {"key": "l"}])
def test_anothers_key_another_route_and_another_key_are_strangers(other):
    finish(start(), ANSWER)

    assert isinstance(start(**other), Run)


def test_a_key_that_was_freed_can_be_used_for_something_else():
    free(start())

    assert isinstance(start(fingerprint="other"), Run)


def test_a_key_belongs_to_its_alias():
    finish(start(), ANSWER)

    assert isinstance(begin(using="payments", principal="ada", route="POST /things", key="k", fingerprint="f"), Run)


def test_a_run_that_died_is_taken_over_when_its_lease_has_ended():
    first = start()
    shift_clock("59 seconds")
    with pytest.raises(StillRunning):
        start()
    shift_clock("61 seconds")

    second = start()

    assert isinstance(second, Run)
    assert second.attempt == first.attempt + 1
    assert second.operation == first.operation
    with pytest.raises(StillRunning):
        start()


def test_a_run_that_was_taken_over_can_neither_finish_nor_free():
    asleep = start()
    shift_clock("61 seconds")
    awake = start()

    assert not finish(asleep, Answer(status=500, headers={}, body="late"))
    free(asleep)

    assert finish(awake, ANSWER)
    assert start() == ANSWER


def test_a_finished_run_cannot_be_freed():
    run = start()
    finish(run, ANSWER)

    free(run)

    assert start() == ANSWER


def test_the_operation_is_one_for_each_caller_route_and_key():
    operations = {start(**other).operation for other in ({}, {"key": "l"}, {"principal": "eve"}, {"route": "PUT /x"})}

    assert len(operations) == 4


def test_keys_are_kept_for_a_day_at_least_and_then_forgotten():
    finish(start(), ANSWER)
    shift_clock("47 hours")
    assert prune(using="inventory") is False
    assert start() == ANSWER
    shift_clock("49 hours")

    assert prune(using="inventory") is False

    assert not IdempotencyKey.objects.using("inventory").exists()
    with pytest.raises(ValueError, match="at least 24"):
        prune(using="inventory", hours=23)


def test_pruning_takes_what_it_is_told_and_says_that_there_is_more():
    for key in "abc":
        finish(start(key=key), ANSWER)
    shift_clock("49 hours")

    assert prune(using="inventory", limit=2) is True
    assert IdempotencyKey.objects.using("inventory").count() == 1


def test_a_key_with_odd_characters_is_only_a_value():
    assert isinstance(start(key="'; DROP TABLE x; --%s%(a)s"), Run)
