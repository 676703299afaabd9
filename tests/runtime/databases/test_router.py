"""No query finds a database that it was not told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import ProgrammingError, models, transaction
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from django.test.utils import isolate_apps

from apps.orders.models import Order
from apps.payments.models import Attempt, Payment
from runtime.databases.router import DomainRouter, UnroutedQuery
from runtime.eventstore.models import StreamEvent
from runtime.idempotency.models import IdempotencyKey
from runtime.messaging.models import EventCounter, InboxMessage, OutboxMessage
from runtime.saga.models import SagaRun

pytestmark = pytest.mark.django_db

RUNTIME_MODELS = (OutboxMessage, InboxMessage, EventCounter, StreamEvent, SagaRun, IdempotencyKey)
DOMAINS = ("users", "inventory", "payments", "orders")


@pytest.mark.parametrize("model", RUNTIME_MODELS, ids=lambda model: model._meta.label)
def test_a_table_of_every_domain_has_to_be_told_which(model: Any) -> None:
    with pytest.raises(UnroutedQuery, match=r"is a table of every domain: say .using\(alias\)"):
        model.objects.count()

    assert [model.objects.using(domain).count() for domain in DOMAINS] == [0, 0, 0, 0]


def test_saving_a_row_of_every_domain_has_to_be_told_where_too() -> None:
    with pytest.raises(UnroutedQuery):
        EventCounter(subject="x", last=1).save()

    assert [EventCounter.objects.using(domain).count() for domain in DOMAINS] == [0, 0, 0, 0]


def test_a_model_that_belongs_to_no_domain_has_no_database() -> None:
    with pytest.raises(UnroutedQuery, match=r"contenttypes\.ContentType belongs to no domain"):
        ContentType.objects.count()
    with pytest.raises(UnroutedQuery, match=r"contenttypes\.ContentType belongs to no domain"):
        ContentType(app_label="x", model="y").save()


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domains_models_live_in_the_alias_of_its_name(domain: str) -> None:
    router = DomainRouter()

    for model in apps.get_app_config(domain).get_models():
        assert router.db_for_read(model) == router.db_for_write(model) == domain


def test_a_router_that_knows_the_instance_of_another_domain_is_not_led_astray() -> None:
    """Django passes the instance that a query comes from as a hint, and borrows its alias where a router is silent."""
    order = Order(id=uuid4())
    order._state.db = "orders"

    assert DomainRouter().db_for_read(Payment, instance=order) == "payments"
    with pytest.raises(UnroutedQuery):
        DomainRouter().db_for_read(OutboxMessage, instance=order)


def test_models_of_two_domains_cannot_be_related() -> None:
    router = DomainRouter()

    assert router.allow_relation(Payment(), Attempt()) is True
    assert router.allow_relation(Order(), Payment()) is False
    assert router.allow_relation(Order(), OutboxMessage()) is False


def test_each_alias_gets_its_own_domains_tables_and_runtimes() -> None:
    router = DomainRouter()

    for alias in DOMAINS:
        allowed = {
            label for label in (*DOMAINS, *settings.RUNTIME_APPS, "auth", "x") if router.allow_migrate(alias, label)
        }
        assert allowed == {alias, *settings.RUNTIME_APPS}
    assert not router.allow_migrate("default", "orders")


# --- Leaks, when they run ---------------------------------------------------------------------------------------------


def test_sql_that_names_another_domains_table_does_not_find_it(sql: Callable[..., Any]) -> None:
    with pytest.raises(ProgrammingError) as caught, transaction.atomic(using="orders"):
        sql("orders", "SELECT count(*) FROM payments_payment")

    assert caught.value.__cause__.pgcode == "42P01"  # type: ignore[union-attr]


def test_sql_that_names_another_domains_schema_is_refused(sql: Callable[..., Any]) -> None:
    with pytest.raises(ProgrammingError) as caught, transaction.atomic(using="orders"):
        sql("orders", "SELECT count(*) FROM payments.payments_payment")

    assert caught.value.__cause__.pgcode == "42501"  # type: ignore[union-attr]


def test_another_domains_model_is_not_found_through_ones_own_alias() -> None:
    with pytest.raises(ProgrammingError) as caught, transaction.atomic(using="orders"):
        Payment.objects.using("orders").count()

    assert caught.value.__cause__.pgcode == "42P01"  # type: ignore[union-attr]


@isolate_apps("apps.orders", "apps.payments")
def test_a_row_of_another_domain_cannot_be_put_into_a_relation() -> None:
    class Bill(models.Model):
        class Meta:
            app_label = "payments"

    class Billed(models.Model):
        bill = models.ForeignKey("payments.Bill", on_delete=models.PROTECT)

        class Meta:
            app_label = "orders"

    stranger = Bill(id=1)
    stranger._state.db = "payments"

    with pytest.raises(ValueError, match="the current database router prevents this relation"):
        Billed(bill=stranger)


def test_the_driver_is_psycopg2() -> None:
    """Error codes and cursors here were tried with psycopg2. Django prefers psycopg 3 where that is installed too."""
    assert is_psycopg3 is False
