"""Every page of every domain: shown, searched, filtered and sorted for whoever may look, and changed by nobody."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import ChangeList
from django.core.checks import run_checks
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import get_resolver

from runtime.audit.store import Deed, write
from runtime.console.models import Operator as Somebody
from runtime.identity.principal import Principal
from runtime.messaging.models import InboxMessage
from runtime.pulses.beating import Heart
from tests.operators import Operator
from tests.runtime.console.cases import dead_letter
from tests.trade import Trade

pytestmark = pytest.mark.django_db

_ = get_resolver().url_patterns
PAGES = {f"{model._meta.app_label}/{model._meta.model_name}": pages for model, pages in admin.site._registry.items()}
DOMAINS = ("orders", "payments", "inventory", "users")
MACHINERY = ("outboxmessage", "inboxmessage", "deadletters", "sagarun", "auditentry", "pulse")
WORDS = (str(uuid4()), "…0123456789ab", "0123456789ab", "order", "T-1", "%", "'", "\\", "é", "a" * 300, "  ", "-5")


@pytest.fixture
def full(trade: Trade) -> Trade:
    """Something to see on every page."""
    from apps.orders.service import SERVICE
    from apps.payments.service import SERVICE as PAYMENTS
    from contracts._base import Money

    trade.order(method="pm_card_declined")
    trade.shipped()
    cancelled = trade.order()
    SERVICE.cancel(order_id=cancelled.id, reason="By mistake.")
    money = Money.parse("1.00", "GBP")
    PAYMENTS.refund_payment(payment_id=trade.payment(trade.order()).id, key="1", amount=money, reason="Scratched.")
    for domain in DOMAINS:
        record = {"action": f"{domain}.change", "object_type": "thing", "object_id": "1", "reason": "Because."}
        write(Deed(**record, before={"a": 1}, after={"a": 2}), operator=uuid4(), key=uuid4(), using=domain)
        heard = {"event_type": "Something", "source": "orders", "subject": "1", "sequence": 1, "envelope": {"a": 1}}
        InboxMessage.objects.using(domain).create(event_id=uuid4(), error="It failed.", **heard)
        dead_letter(domain)
        Heart("worker").beat(using=domain)
    return trade


@pytest.fixture
def reader(sign_in) -> Operator:
    return sign_in("support")


def asking(role: str, name: str = "", /, **query: str) -> HttpRequest:
    request = RequestFactory().get(f"/admin/{name}/", query)
    request.user = Somebody.of(Principal(id=str(uuid4()), roles=(role,)), name="Somebody")
    return request


def listed(name: str, /, **query: str) -> ChangeList:
    """What a list shows for this question, without the page around it."""
    found = PAGES[name].get_changelist_instance(asking("support", name, **query))
    list(found.result_list)
    return found


def test_every_domain_has_its_records_and_runtimes_tables() -> None:
    assert {name for name in PAGES if name.endswith(MACHINERY)} == {
        f"{d}/{table}" for d in DOMAINS for table in MACHINERY
    }
    assert {name for name in PAGES if not name.endswith(MACHINERY)} == {
        "orders/order",
        "payments/payment",
        "payments/movement",
        "inventory/product",
        "inventory/stockmovement",
        "inventory/reservation",
        "users/user",
        "users/dynamicvalue",
    }


def test_django_has_nothing_to_say_against_the_pages() -> None:
    assert [message for message in run_checks() if not message.is_silenced()] == []


def test_every_list_and_every_record_is_shown(reader: Operator, full: Trade) -> None:
    rows = {name: next(iter(listed(name).result_list), None) for name in PAGES}

    assert {name for name, row in rows.items() if row is None} == {f"{d}/sagarun" for d in DOMAINS if d != "orders"}
    for name, row in rows.items():
        assert reader.get(f"/admin/{name}/").status_code == 200, name
        if row is not None:
            page = reader.get(f"/admin/{name}/{quote(row.pk)}/change/")
            assert page.status_code == 200, name
            assert str(row.pk) in page.content.decode(), name


@pytest.mark.parametrize("name", PAGES)
def test_a_list_is_searched_for_anything(name: str, db: None) -> None:
    for word in WORDS:
        listed(name, q=word)


def test_a_record_is_found_by_its_id_and_by_the_end_of_it(full: Trade) -> None:
    for name in PAGES:
        row = next(iter(listed(name).result_list), None)
        if row is None or name == "inventory/stockmovement":
            continue
        assert row in list(listed(name, q=str(row.pk)).result_list), name
        if len(str(row.pk)) == 36:
            assert list(listed(name, q=str(row.pk)).result_list) == [row], name
            assert list(listed(name, q=f"…{str(row.pk)[-12:]}").result_list) == [row], name


@pytest.mark.parametrize("name", PAGES)
def test_a_list_is_filtered_by_every_filter(name: str, db: None) -> None:
    everything = listed(name)
    choices = [choice for spec in everything.filter_specs for choice in spec.choices(everything)]

    assert choices or name.endswith("auditentry")
    for choice in choices:
        listed(name, **dict(parse_qsl(choice["query_string"].lstrip("?"))))


@pytest.mark.parametrize("name", PAGES)
def test_a_list_is_sorted_by_every_column(name: str, db: None) -> None:
    for column in range(1, len(PAGES[name].list_display) + 1):
        listed(name, o=str(column))
        listed(name, o=f"-{column}")


def test_an_odd_question_is_answered_all_the_same(reader: Operator) -> None:
    for query in ("status=nonsense", "nonsense=1", "o=99", "p=99", "p=x", "_facets=1", "all=", "e=1", "user_id=x"):
        assert reader.get(f"/admin/orders/order/?{query}").status_code in {200, 302}, query


# --- Who may look -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["support", "operator", "administrator"])
def test_whoever_works_for_the_shop_may_look_at_everything(role: str) -> None:
    request = asking(role)

    assert [name for name, pages in PAGES.items() if not pages.has_view_permission(request)] == []


def test_a_customer_may_look_at_nothing() -> None:
    request = asking("customer")

    assert [name for name, pages in PAGES.items() if pages.has_view_permission(request)] == []
    assert not admin.site.has_permission(request)


def test_nobody_else_may_look_at_anything(client) -> None:
    for address in (f"/admin/{name}/{rest}" for name in PAGES for rest in ("", "1/change/")):
        answer = client.get(address)
        assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={address}")


# --- Read-only --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["orders/order", "inventory/product", "payments/movement", "orders/auditentry"])
def test_not_even_an_administrator_changes_a_record_by_hand(name: str, sign_in, full: Trade) -> None:
    administrator = sign_in("administrator")
    row = listed(name).result_list[0]
    rows = type(row)._base_manager.using(name.partition("/")[0]).filter(pk=row.pk).values()
    before, pk = list(rows), quote(row.pk)

    assert administrator.post(f"/admin/{name}/{pk}/change/", {"status": "x", "_save": "1"}).status_code == 403
    assert administrator.post(f"/admin/{name}/add/", {"sku": "x"}).status_code == 404
    assert administrator.post(f"/admin/{name}/{pk}/delete/", {"post": "yes"}).status_code == 404
    assert administrator.get(f"/admin/{name}/{pk}/history/").status_code == 404
    deleted = {"action": "delete_selected", "_selected_action": pk, "post": "yes"}
    assert administrator.post(f"/admin/{name}/", deleted).status_code == 200

    assert list(rows.all()) == before


@pytest.mark.parametrize("name", PAGES)
def test_no_page_offers_to_change_by_hand(name: str) -> None:
    pages, request = PAGES[name], asking("administrator")

    assert not pages.has_add_permission(request)
    assert not pages.has_change_permission(request)
    assert not pages.has_delete_permission(request)
    assert pages.get_actions(request) == {}


@pytest.mark.parametrize("address", ["password_change/", "password_change/done/", "autocomplete/", "r/1/1/", "nothing"])
def test_djangos_pages_that_would_need_a_table_are_not_there(address: str, reader: Operator) -> None:
    answer = reader.get(f"/admin/{address}")

    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.content.decode()


def test_a_record_that_is_not_there_leads_back_with_a_word(reader: Operator) -> None:
    for pk in (uuid4(), "nonsense", "é%00"):
        answer = reader.get(f"/admin/orders/order/{pk}/change/")
        assert answer.status_code in {302, 400, 404}


# --- What comes with the answer ---------------------------------------------------------------------------------------


def test_the_address_without_its_last_slash_leads_there_too(client) -> None:
    assert client.get("/admin")["Location"] == "/admin/"


def test_pages_are_kept_by_nobody_and_framed_by_nobody(reader: Operator) -> None:
    answer = reader.get("/admin/orders/order/")

    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]


def test_a_pages_files_are_served_without_having_been_collected(reader: Operator) -> None:
    page = reader.get("/admin/").content.decode()
    files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))

    assert len(files) > 10
    assert {file: reader.get(file).status_code for file in files} == dict.fromkeys(files, 200)
    assert re.findall(r'(?:href|src)="(?:https?:)?//[^"]+"', page) == []


def test_the_search_of_pages_finds_pages(reader: Operator) -> None:
    assert "Payments" in reader.get("/admin/search/", {"s": "payment"}).content.decode()
