"""How long a call may take, and on whose lease it is made, travels with it and only ever gets stricter."""

from __future__ import annotations

from uuid import UUID

import pytest

from contracts._base import DeadlineExceeded, Unavailable
from runtime.calls import Lease, call, current_call
from runtime.calls.local import LocalClient
from tests.runtime.calls.services import Boxes, Keeps

RUN = UUID(int=1)


def test_without_a_limit_a_call_may_take_what_it_wants():
    assert current_call().remaining() is None
    assert current_call().allowed(10.0) == 10.0


def test_a_deadline_only_ever_shrinks():
    with call(seconds=5.0) as outer:
        with call(seconds=100.0) as wider:
            assert wider.deadline == outer.deadline
        with call(seconds=1.0) as closer:
            assert closer.remaining() <= 1.0
            assert current_call() is closer
        with call() as unchanged:
            assert unchanged.deadline == outer.deadline
        assert 1.0 < current_call().remaining() <= 5.0
        assert current_call().allowed(2.0) == 2.0
        assert current_call().allowed(60.0) <= 5.0

    assert current_call().remaining() is None


def test_a_deadline_ends_with_its_block_also_where_the_block_raises():
    with pytest.raises(ZeroDivisionError), call(seconds=1.0):
        raise ZeroDivisionError

    assert current_call().deadline is None


def test_a_lease_once_set_stays_until_another_is_set():
    with call(lease=Lease(id=RUN, epoch=3)):
        with call(seconds=1.0) as inner:
            assert inner.lease == Lease(id=RUN, epoch=3)
        with call(lease=Lease(id=RUN, epoch=4)) as inner:
            assert inner.lease == Lease(id=RUN, epoch=4)
        assert current_call().lease == Lease(id=RUN, epoch=3)

    assert current_call().lease is None


def test_a_call_whose_time_is_spent_does_not_run_and_says_so():
    service = Keeps()
    boxes = LocalClient(domain="boxes", protocol=Boxes, service=service)

    with call(seconds=0.0), pytest.raises(DeadlineExceeded) as raised:
        boxes.count(shelf="a")

    assert isinstance(raised.value, Unavailable)
    assert (raised.value.may_have_run, raised.value.code) == (False, "deadline_exceeded")
    assert service.given == []


def test_the_callee_sees_what_is_left_of_the_callers_time():
    service = Keeps(answer=lambda: int(current_call().remaining()))
    boxes = LocalClient(domain="boxes", protocol=Boxes, service=service)

    with call(seconds=50.0):
        assert boxes.count(shelf="a") == 49
