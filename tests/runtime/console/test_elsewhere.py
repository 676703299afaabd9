"""What a process says of the domains that others host: all their pages, and that they are away."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from django.contrib import admin
from django.contrib.messages import SUCCESS
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import get_resolver, path

from config.console import navigation
from runtime.console.messages import ConsoleMessages
from runtime.console.site import Console
from tests.operators import Operator

pytestmark = pytest.mark.django_db

_ = get_resolver().url_patterns


@pytest.fixture
def orders_alone(settings, monkeypatch) -> None:
    """The addresses of a process that hosts orders and nothing else, with the pages left out."""
    settings.HOSTED_DOMAINS = ("orders",)
    addresses = ModuleType("tests_addresses_of_orders_alone")
    addresses.urlpatterns = [path("admin/", Console("admin").urls)]
    monkeypatch.setitem(sys.modules, addresses.__name__, addresses)
    settings.ROOT_URLCONF = addresses.__name__


@pytest.fixture
def reader(sign_in) -> Operator:
    return sign_in("support")


def test_the_navigation_is_data_and_has_every_page_that_is_registered_and_no_other() -> None:
    request = RequestFactory().get("/admin/")
    shown = [item["link"] for group in navigation(request) for item in group["items"]]
    registered = {f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry}

    assert len(shown) == len(set(shown))
    assert set(shown) == registered | {"/admin/", "/admin/runbook/", "/admin/topology/", "/admin/traces/"}


@pytest.mark.parametrize("rest", ["", "payment/", "payment/1/change/", "payment/1/refund/", "nothing/like/it"])
def test_a_page_that_only_another_process_has_is_said_to_be_away(rest: str, reader, orders_alone) -> None:
    answer = reader.get(f"/admin/payments/{rest}")

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    text = answer.content.decode()
    assert "Payments cannot be reached" in text
    assert "Nothing was changed. The pages of the other domains go on." in text
    assert f'href="/admin/payments/{rest}"' in text
    assert 'href="/admin/inventory/product/"' in text


def test_a_form_sent_there_is_answered_the_same(reader, orders_alone) -> None:
    assert reader.post("/admin/inventory/product/T-1/restock/", {"quantity": "1"}).status_code == 503


def test_what_nobody_has_is_not_there(reader, orders_alone) -> None:
    assert reader.get("/admin/parcels/").status_code == 404
    assert reader.get("/admin/paymentsandmore/").status_code == 404


def test_nobody_is_told_of_it_who_is_not_signed_in(client, orders_alone) -> None:
    answer = client.get("/admin/payments/payment/")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/payments/payment/")


def test_the_search_of_pages_finds_those_of_other_processes(reader, orders_alone) -> None:
    found = reader.get("/admin/search/", {"s": "products"}).content.decode()

    assert 'href="/admin/inventory/product/"' in found


def test_what_is_left_to_be_said_is_for_the_consoles_pages_alone() -> None:
    request, answer = RequestFactory().get("/admin/"), HttpResponse()
    said = ConsoleMessages(request)
    said.add(SUCCESS, "Done.")
    said.update(answer)
    assert answer.cookies["messages"]["path"] == "/admin"

    again, emptied = RequestFactory().get("/admin/"), HttpResponse()
    again.COOKIES["messages"] = answer.cookies["messages"].value
    read = ConsoleMessages(again)
    assert [message.message for message in read] == ["Done."]
    read.update(emptied)
    assert (emptied.cookies["messages"].value, emptied.cookies["messages"]["path"]) == ("", "/admin")
