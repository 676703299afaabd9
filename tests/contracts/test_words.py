"""The other words that contracts are written in: ids, bad news, references, events."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import RFC_4122, UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import inventory, orders, payments, users
from contracts._base import ContractError, DeadlineExceeded, Event, Ref, Rejected, Unavailable, new_id

MODULES = (users, inventory, payments, orders)


def errors() -> list[type[ContractError]]:
    return [
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, ContractError) and value.__module__ == module.__name__
    ]


# --- Ids --------------------------------------------------------------------------------------------------------------


def test_an_id_is_a_uuid_of_version_7() -> None:
    for _ in range(100):
        made = new_id()
        assert (made.version, made.variant) == (7, RFC_4122)
        assert UUID(str(made)) == made


def test_an_id_begins_with_the_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    after = time.time_ns() // 1_000_000

    assert before <= made.int >> 80 <= after


@given(moments=st.lists(st.integers(min_value=0, max_value=2**48 - 1), min_size=2, unique=True))
def test_ids_sort_by_the_time_they_were_made_at(moments: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        made = []
        for moment in moments:
            patch.setattr("contracts._base.time.time_ns", lambda moment=moment: moment * 1_000_000 + 999_999)
            made.append((moment, new_id()))

    by_time = [made_id for _, made_id in sorted(made)]
    assert sorted(by_time) == by_time
    assert sorted(map(str, by_time)) == list(map(str, by_time)), "as text too"
    assert [made_id.int >> 80 for made_id in by_time] == sorted(moments)


def test_ids_of_one_moment_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts._base.time.time_ns", lambda: 1_700_000_000_000_000_000)

    made = {new_id() for _ in range(10_000)}

    assert len(made) == 10_000
    assert {value.int >> 80 for value in made} == {1_700_000_000_000}


@given(noise=st.binary(min_size=10, max_size=10))
def test_random_bits_touch_neither_version_nor_variant_nor_time(noise: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("contracts._base.os.urandom", lambda count: noise)
        patch.setattr("contracts._base.time.time_ns", lambda: 1_700_000_000_000_000_000)
        made = new_id()

    assert (made.version, made.variant, made.int >> 80) == (7, RFC_4122, 1_700_000_000_000)


def test_all_74_random_bits_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts._base.time.time_ns", lambda: 0)
    seen_one = seen_zero = 0
    for _ in range(2000):
        value = new_id().int
        seen_one |= value
        seen_zero |= ~value

    random_bits = (0xFFF << 64) | (2**62 - 1)
    assert seen_one & seen_zero & (2**80 - 1) == random_bits
    assert random_bits.bit_count() == 74


# --- Bad news ---------------------------------------------------------------------------------------------------------


class Closed(Rejected):
    """The shop is closed on Sundays."""

    code: ClassVar[str] = "closed"


def test_an_errors_docstring_is_its_message() -> None:
    error = Closed()

    assert error.detail == "The shop is closed on Sundays."
    assert str(error) == "The shop is closed on Sundays."


def test_a_message_of_ones_own_comes_before_the_docstring() -> None:
    assert Closed("Closed for the holidays.").detail == "Closed for the holidays."
    assert str(Closed("Closed for the holidays.")) == "Closed for the holidays."


def test_an_error_carries_facts() -> None:
    assert Closed(until="Monday", days=[1]).data == {"until": "Monday", "days": [1]}
    assert Closed().data == {}
    assert Closed().data is not Closed().data


@pytest.mark.parametrize(
    ("kind", "code", "may_have_run"),
    [
        (Rejected, "rejected", False),
        (Unavailable, "unavailable", True),
        (DeadlineExceeded, "deadline_exceeded", False),
        (Closed, "closed", False),
    ],
)
def test_an_error_says_whether_the_call_may_have_run(kind: type[ContractError], code: str, may_have_run: bool) -> None:
    assert kind.code == code
    assert kind().may_have_run is may_have_run


def test_a_deadline_that_passed_is_retried_as_any_other_outage_is() -> None:
    assert issubclass(DeadlineExceeded, Unavailable)
    assert not issubclass(Unavailable, Rejected)
    assert not issubclass(Rejected, Unavailable)


@pytest.mark.parametrize("kind", errors(), ids=lambda kind: kind.__name__)
def test_an_error_of_a_contract_is_a_no_of_the_business_with_a_code_and_a_message(kind: type[ContractError]) -> None:
    error = kind()

    assert isinstance(error, Rejected)
    assert error.may_have_run is False
    assert error.code == error.code.lower()
    assert error.code not in {"error", "rejected"}
    assert error.detail.endswith(".")


def test_no_two_errors_of_the_contracts_have_one_code() -> None:
    codes = [kind.code for kind in errors()]

    assert len(set(codes)) == len(codes) > 5


def test_a_message_has_no_notes_to_programmers_in_it() -> None:
    shown = {kind.__name__: kind().detail for kind in errors()}

    assert [name for name, detail in shown.items() if "``" in detail or "data[" in detail] == []


# --- References -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_reference_names_its_domain(module: Any) -> None:
    domain = module.__name__.removeprefix("contracts.")
    reference = getattr(module, domain.upper())

    assert isinstance(reference, Ref)
    assert reference.domain == domain
    assert repr(reference) == f"Ref('{domain}')"


# --- Events -----------------------------------------------------------------------------------------------------------


def test_an_event_that_does_not_say_what_it_happened_to_is_caught() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class ShopOpened(Event):
        name: ClassVar[str] = "ShopOpened"

    with pytest.raises(NotImplementedError, match="ShopOpened does not say which aggregate"):
        _ = ShopOpened().subject


def test_an_event_cannot_be_changed_nor_made_by_position() -> None:
    event = users.UserErased(user_id=uuid4())

    with pytest.raises(dataclasses.FrozenInstanceError):
        event.user_id = uuid4()  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        users.UserErased(uuid4())  # type: ignore[misc]


def test_events_of_one_aggregate_have_one_subject() -> None:
    order, user = uuid4(), uuid4()

    assert orders.OrderConfirmed(order_id=order, user_id=user).subject == str(order)
    assert orders.OrderCancelled(order_id=order, user_id=user, reason="x").subject == str(order)
    assert inventory.InventoryReserved(order_id=order, items=()).subject == str(order)
    assert inventory.InventoryUpdated(sku="TEA", on_hand=1, reserved=0, sold=0).subject == "TEA"
    assert users.UserErased(user_id=user).subject == str(user)


# --- Roles ------------------------------------------------------------------------------------------------------------


def test_roles_allow_together_what_each_allows() -> None:
    assert users.permissions_of(()) == frozenset()
    assert users.permissions_of(("customer",)) == frozenset()
    assert users.permissions_of(("support", "operator")) == users.ROLES["support"] | users.ROLES["operator"]


def test_a_role_that_is_not_known_allows_nothing() -> None:
    assert users.permissions_of(("emperor",)) == frozenset()
    assert users.permissions_of(("emperor", "support")) == users.ROLES["support"]


def test_only_an_administrator_may_change_roles() -> None:
    assert [role for role, allowed in users.ROLES.items() if "users.change_roles" in allowed] == ["administrator"]
    assert users.ROLES["operator"] < users.ROLES["administrator"]
    assert set(users.ROLES) - {"customer"} == users.STAFF_ROLES


def test_a_permission_begins_with_the_domain_that_asks_for_it() -> None:
    allowed = frozenset().union(*users.ROLES.values())

    assert {permission.partition(".")[0] for permission in allowed} <= {"users", "inventory", "payments", "orders"}
    assert [permission for permission in allowed if permission.count(".") != 1] == []
