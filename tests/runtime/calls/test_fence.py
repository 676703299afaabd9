"""Whoever was asleep is turned away: after a later holder of a lease has passed, an older one changes nothing."""

from __future__ import annotations

from functools import partial
from uuid import UUID, uuid4

import pytest
from django.db import connections, transaction

from contracts._base import Superseded
from runtime.calls import Lease, call
from runtime.calls.fence import FenceOutsideTransaction, pass_fence, prune
from runtime.calls.models import Fence
from tests.together import shift_clock, together


def passes(lease: Lease | None, *, using: str = "inventory") -> bool:
    """Whether the fence lets a call under this lease through, in a transaction that then commits."""
    try:
        with call(lease=lease), transaction.atomic(using=using):
            pass_fence(using=using)
    except Superseded:
        return False
    finally:
        connections.close_all()
    return True


def latest(lease_id: UUID, *, using: str = "inventory") -> int | None:
    return Fence.objects.using(using).filter(pk=lease_id).values_list("epoch", flat=True).first()


@pytest.fixture
def lease_id(committed) -> UUID:
    return uuid4()


def test_an_older_holder_is_turned_away_once_a_later_one_has_passed_and_not_before(lease_id):
    first, second = Lease(id=lease_id, epoch=1), Lease(id=lease_id, epoch=2)

    assert [passes(first), passes(first), passes(second), passes(first), passes(second)] == [
        True, True, True, False, True,
    ]  # fmt: skip
    assert latest(lease_id) == 2


def test_leases_and_domains_have_fences_of_their_own(lease_id):
    assert passes(Lease(id=lease_id, epoch=5))

    assert passes(Lease(id=uuid4(), epoch=1))
    assert passes(Lease(id=lease_id, epoch=1), using="payments")


def test_a_call_under_no_lease_passes_and_leaves_nothing(committed):
    assert passes(None)
    assert not Fence.objects.using("inventory").exists()


def test_what_is_rolled_back_was_never_there(lease_id):
    with call(lease=Lease(id=lease_id, epoch=9)), transaction.atomic(using="inventory"):
        pass_fence(using="inventory")
        transaction.set_rollback(True, using="inventory")

    assert latest(lease_id) is None
    assert passes(Lease(id=lease_id, epoch=1))


def test_of_holders_that_come_at_once_the_latest_stays(lease_id):
    epochs = [1, 2, 3, 4, 5, 6, 7, 8]

    answers = together(*[partial(passes, Lease(id=lease_id, epoch=epoch)) for epoch in epochs])

    assert answers[-1] is True
    assert latest(lease_id) == 8
    assert not any(passes(Lease(id=lease_id, epoch=epoch)) for epoch in epochs[:-1])


def test_outside_of_a_transaction_it_would_guard_nothing_and_is_refused(lease_id):
    with call(lease=Lease(id=lease_id, epoch=1)), pytest.raises(FenceOutsideTransaction, match="inventory"):
        pass_fence(using="inventory")


def test_leases_that_nobody_has_used_for_a_month_are_forgotten(lease_id):
    assert passes(Lease(id=lease_id, epoch=3))

    assert prune(using="inventory") is False
    assert latest(lease_id) == 3
    shift_clock("inventory", "31 days")
    prune(using="inventory")
    assert latest(lease_id) is None
    connections.close_all()
