"""What every action keeps to, whatever it does: who may, when, once, and not without a trace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import get_resolver

from contracts._base import Unavailable
from contracts.users import ROLES
from runtime.audit.models import AuditEntry
from runtime.databases.clock import Now
from runtime.databases.transactions import open_transactions
from runtime.idempotency.models import IdempotencyKey
from tests.runtime.console.cases import CASES, EACH, Case
from tests.trade import Trade

pytestmark = pytest.mark.django_db

_ = get_resolver().url_patterns


def entries(case: Case) -> list[AuditEntry]:
    return list(AuditEntry.objects.using(case.domain).order_by("id"))


def made(case: Case, trade: Trade) -> Any:
    return None if case.record is None else case.record(trade)


def test_no_action_is_forgotten_here() -> None:
    offered = {
        (f"{model._meta.app_label}/{model._meta.model_name}", action.name)
        for model, pages in admin.site._registry.items()
        for action in pages.offers
    }

    # Starting a process anew takes a supervisor: tests/browser/test_troubles.py.
    anew = {(f"{domain}/pulse", "start-anew") for domain in settings.DOMAIN_ALIASES}
    assert offered == {(case.page, case.action) for case in CASES} | anew


def test_every_action_has_room_for_a_reason_and_whoever_gives_something_up_has_to_have_one() -> None:
    for pages in admin.site._registry.values():
        for action in pages.offers:
            assert "reason" in action.form.base_fields, action
            assert action.form.base_fields["reason"].required or not action.dangerous, action


# --- What it leaves behind --------------------------------------------------------------------------------------------


@EACH
def test_an_action_is_done_and_written_down_with_who_and_why(case: Case, sign_in, trade: Trade) -> None:
    operator, row = sign_in("administrator"), made(case, trade)

    answer = operator.act(case.address(row), **case.form)

    assert answer.status_code == 302, answer.content.decode()
    (entry,) = entries(case)
    assert (entry.operator, entry.action) == (operator.id, f"{case.domain}.{case.action.replace('-', '_')}")
    assert (entry.object_type, entry.object_id) == (case.page.partition("/")[2], str(row or case.form["sku"]))
    assert entry.reason == case.form.get("reason", "")
    assert case.before.items() <= entry.before.items()
    assert entry.after == case.after
    assert entry.request_id
    page = operator.get(answer["Location"])
    assert page.status_code == 200
    assert [message.level_tag for message in page.context["messages"]] == ["success"]


@EACH
def test_an_action_waits_in_no_transaction(case: Case, sign_in, trade: Trade, monkeypatch) -> None:
    seen = []
    action = next(a for a in _pages(case).offers if a.name == case.action)
    real = type(action).run
    monkeypatch.setattr(
        type(action), "run", lambda self, *a, **k: (seen.append(open_transactions()), real(self, *a, **k))[1]
    )
    row = made(case, trade)

    sign_in("administrator").act(case.address(row), **case.form)

    assert seen == [[]]


def _pages(case: Case) -> Any:
    return next(p for m, p in admin.site._registry.items() if f"{m._meta.app_label}/{m._meta.model_name}" == case.page)


# --- Once -------------------------------------------------------------------------------------------------------------


@EACH
def test_a_form_that_is_sent_twice_is_one_effect(case: Case, sign_in, trade: Trade) -> None:
    operator, row = sign_in("administrator"), made(case, trade)
    form = {**case.form, "key": str(uuid4())}

    answers = [operator.send(case.address(row), form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0]["Location"] == answers[1]["Location"]
    (entry,) = entries(case)
    assert entry.after == case.after


def test_a_form_that_comes_again_while_it_is_being_done_is_told_so(sign_in, trade: Trade) -> None:
    operator, order = sign_in("operator"), trade.order()
    address, form = f"/admin/orders/order/{order.id}/cancel/", {"reason": "By mistake.", "key": str(uuid4())}
    operator.post(address, form)
    unfinished = {"state": "running", "body": None, "status": None, "lease_until": Now() + timedelta(minutes=1)}
    IdempotencyKey.objects.using("orders").update(**unfinished)

    answer = operator.post(address, form)

    assert (answer.status_code, answer["Location"]) == (302, f"/admin/orders/order/{order.id}/change/")
    assert "under way" in operator.get(answer["Location"]).content.decode()
    assert AuditEntry.objects.using("orders").count() == 1


def test_two_forms_are_two_effects(sign_in, trade: Trade) -> None:
    operator, sku = sign_in("operator"), trade.product(stock=10)
    address = f"/admin/inventory/product/{sku}/restock/"

    for _ in range(2):
        operator.act(address, quantity="5", reason="Note 17")

    assert trade.stock(sku).on_hand == 20


def test_a_key_is_its_operators_own(sign_in, trade: Trade) -> None:
    sku = trade.product(stock=10)
    form = {"quantity": "5", "reason": "Note 17", "key": str(uuid4())}

    for _ in range(2):
        sign_in("operator").post(f"/admin/inventory/product/{sku}/restock/", form)

    assert trade.stock(sku).on_hand == 20


def test_a_form_that_comes_again_with_something_else_in_it_is_refused(sign_in, trade: Trade) -> None:
    operator, sku = sign_in("operator"), trade.product(stock=10)
    address, key = f"/admin/inventory/product/{sku}/restock/", str(uuid4())

    operator.post(address, {"quantity": "5", "reason": "Note 17", "key": key})
    answer = operator.post(address, {"quantity": "50", "reason": "Note 17", "key": key})

    assert (answer.status_code, answer["Location"]) == (302, address)
    assert trade.stock(sku).on_hand == 15
    assert "Here is a new one" in operator.get(address).content.decode()


# --- Who may ----------------------------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("role", ["support", "operator", "administrator"])
def test_an_action_is_offered_to_whoever_may_do_it_and_done_for_nobody_else(
    case: Case, role: str, sign_in, trade: Trade
) -> None:
    operator, row = sign_in(role), made(case, trade)
    may = role in case.roles
    page = f"/admin/{case.page}/" if row is None else f"/admin/{case.page}/{quote(row)}/change/"

    assert (case.address(row) in operator.get(page).content.decode()) is may
    assert operator.get(case.address(row)).status_code == (200 if may else 403)
    sent = operator.send(case.address(row), {**case.form, "key": str(uuid4())})
    assert sent.status_code == (302 if may else 403)
    assert len(entries(case)) == (1 if may else 0)


@EACH
def test_nobody_else_gets_anywhere(case: Case, client: Client, account, trade: Trade) -> None:
    row = made(case, trade)

    for answer in (client.get(case.address(row)), client.post(case.address(row), case.form)):
        assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={case.address(row)}")
    assert entries(case) == []


def test_the_roles_are_those_of_the_contract() -> None:
    permissions = {case.page + case.action: (case, _permission(case)) for case in CASES}

    for case, permission in permissions.values():
        assert {role for role, allowed in ROLES.items() if permission in allowed} == case.roles


def _permission(case: Case) -> str:
    return next(str(action.permission) for action in _pages(case).offers if action.name == case.action)


# --- Asked properly ---------------------------------------------------------------------------------------------------


@EACH
def test_looking_at_an_actions_page_does_nothing(case: Case, sign_in, trade: Trade) -> None:
    operator, row = sign_in("administrator"), made(case, trade)

    for answer in (operator.get(case.address(row), case.form), operator.head(case.address(row))):
        assert answer.status_code == 200
    assert operator.put(case.address(row), case.form).status_code == 405
    assert entries(case) == []
    assert IdempotencyKey.objects.using(case.domain).count() == 0


@EACH
def test_a_form_from_another_site_is_refused(case: Case, sign_in, trade: Trade) -> None:
    operator, row = sign_in("administrator"), made(case, trade)
    operator.handler.enforce_csrf_checks = True

    assert operator.post(case.address(row), {**case.form, "key": str(uuid4())}).status_code == 403
    assert entries(case) == []


@EACH
def test_an_actions_page_says_what_will_happen(case: Case, sign_in, trade: Trade) -> None:
    page = sign_in("administrator").get(case.address(made(case, trade)))

    assert page.context["preview"]
    for sentence in page.context["preview"]:
        assert sentence.endswith(".")
        assert sentence in page.content.decode()
    assert page.context["form"].initial["key"]


@pytest.mark.parametrize("missing", ["key", "quantity", "reason"])
def test_a_form_that_lacks_something_is_shown_again(missing: str, sign_in, trade: Trade) -> None:
    operator, sku = sign_in("operator"), trade.product(stock=10)
    form = {"quantity": "5", "reason": "Note 17", "key": str(uuid4())}
    del form[missing]

    answer = operator.post(f"/admin/inventory/product/{sku}/restock/", form)

    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {missing}
    assert trade.stock(sku).on_hand == 10


@pytest.mark.parametrize("quantity", ["0", "-1", "1.5", "x", "1000000001", "9" * 400])
def test_a_form_with_something_odd_in_it_is_shown_again(quantity: str, sign_in, trade: Trade) -> None:
    operator, sku = sign_in("operator"), trade.product(stock=10)

    answer = operator.act(f"/admin/inventory/product/{sku}/restock/", quantity=quantity, reason="Note 17")

    assert answer.status_code == 422
    assert trade.stock(sku).on_hand == 10


def test_a_record_that_is_not_there_is_a_404(sign_in) -> None:
    operator = sign_in("operator")

    for address in (f"/admin/orders/order/{uuid4()}/ship/", "/admin/orders/order/x/ship/"):
        assert operator.get(address).status_code == 404
        assert operator.post(address, {"key": str(uuid4())}).status_code == 404


# --- Refused and failed -----------------------------------------------------------------------------------------------


def test_what_the_service_refuses_is_said_and_leaves_no_trace(sign_in, trade: Trade) -> None:
    operator = sign_in("operator")
    order = trade.order(units=4, sku=(sku := trade.product(stock=10)))

    answer = operator.act(f"/admin/inventory/product/{sku}/adjust/", quantity="-7", reason="Broken.")

    assert order.status == "confirmed"
    assert answer.status_code == 409
    assert "fewer units than are held for orders" in answer.content.decode()
    assert trade.stock(sku).on_hand == 10
    assert AuditEntry.objects.using("inventory").count() == 0
    assert IdempotencyKey.objects.using("inventory").count() == 0


def test_what_was_refused_can_be_corrected_in_the_same_form(sign_in, trade: Trade) -> None:
    operator, sku = sign_in("operator"), trade.product(stock=10)
    address, key = f"/admin/inventory/product/{sku}/adjust/", str(uuid4())

    refused = operator.post(address, {"quantity": "-11", "reason": "Broken.", "key": key})
    done = operator.post(address, {"quantity": "-1", "reason": "Broken.", "key": key})

    assert (refused.status_code, done.status_code) == (409, 302)
    assert trade.stock(sku).on_hand == 9


def test_what_may_have_been_done_is_said_and_the_same_form_may_come_again(sign_in, trade: Trade, monkeypatch) -> None:
    from apps.inventory.service import SERVICE

    operator, sku = sign_in("operator"), trade.product(stock=10)
    address, form = (
        f"/admin/inventory/product/{sku}/restock/",
        {"quantity": "5", "reason": "Note 17", "key": str(uuid4())},
    )
    real = SERVICE.restock

    def and_then_silence(**arguments: Any) -> None:
        real(**arguments)
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(SERVICE, "restock", and_then_silence)
        lost = operator.post(address, form)
    again = operator.post(address, form)

    assert (lost.status_code, again.status_code) == (503, 302)
    assert "will not be done twice" in lost.content.decode()
    assert trade.stock(sku).on_hand == 15
    assert AuditEntry.objects.using("inventory").count() == 1


def test_a_bug_leaves_no_audit_row_and_no_key(sign_in, trade: Trade, monkeypatch) -> None:
    from apps.inventory.service import SERVICE

    operator, sku = sign_in("operator"), trade.product(stock=10)
    operator.raise_request_exception = False
    monkeypatch.setattr(SERVICE, "restock", lambda **arguments: 1 // 0)

    answer = operator.act(f"/admin/inventory/product/{sku}/restock/", quantity="5", reason="Note 17")

    assert (answer.status_code, answer["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert AuditEntry.objects.using("inventory").count() == 0
    assert IdempotencyKey.objects.using("inventory").count() == 0
