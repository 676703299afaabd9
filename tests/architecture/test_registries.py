"""What Django and Celery have registered in the end, whatever the code that registered it looks like."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.test.utils import isolate_apps

from tests.architecture.source import DOMAINS


def foreign_relations(found: Iterable[type[models.Model]]) -> list[str]:
    """Fields that lead to a model of another app."""
    return [
        f"{model._meta.label}.{field.name} leads to {field.related_model._meta.label}"
        for model in found
        for field in model._meta.get_fields(include_hidden=True)
        if isinstance(field.related_model, type) and field.related_model._meta.app_label != model._meta.app_label
    ]


def foreign_waits(graph: Iterable[tuple[tuple[str, str], Iterable[tuple[str, str]]]]) -> list[str]:
    """Migrations that wait for one of another app."""
    return [f"{name} waits for {other}" for name, others in graph for other in others if name[0] != other[0]]


def own_models() -> list[type[models.Model]]:
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in (*DOMAINS, *settings.RUNTIME_APPS)
    ]


def test_no_model_is_related_to_one_of_another_domain() -> None:
    assert len(own_models()) >= 15
    assert foreign_relations(own_models()) == []


@isolate_apps("apps.orders", "apps.payments")
def test_a_relation_between_two_domains_is_seen_in_the_registry() -> None:
    class Payment(models.Model):
        class Meta:
            app_label = "payments"

    class Order(models.Model):
        paid_by = models.ForeignKey("payments.Payment", on_delete=models.PROTECT)

        class Meta:
            app_label = "orders"

    assert foreign_relations([Order]) == ["orders.Order.paid_by leads to payments.Payment"]


def test_no_migration_waits_for_one_of_another_domain() -> None:
    graph = MigrationLoader(None).graph
    names = {name: [parent.key for parent in node.parents] for name, node in graph.node_map.items()}
    own = {name for name in names if name[0] in (*DOMAINS, *settings.RUNTIME_APPS)}

    assert {app for app, _ in own} == {*DOMAINS, *settings.RUNTIME_APPS}
    assert foreign_waits((name, names[name]) for name in own) == []


def test_a_migration_that_waits_for_another_domain_is_seen_in_the_graph() -> None:
    graph = [(("orders", "0002"), [("orders", "0001"), ("payments", "0001")])]

    assert foreign_waits(graph) == ["('orders', '0002') waits for ('payments', '0001')"]


def test_every_task_that_celery_knows_has_a_name_of_its_own() -> None:
    from config.celery import app

    app.loader.import_default_modules()
    names = {name for name in app.tasks if not name.startswith("celery.")}

    assert names >= {"mitosis.deliver", "mitosis.redeliver", "mitosis.resume_saga"}
    assert [name for name in names if not re.fullmatch(r"mitosis\.[a-z_]+", name)] == []


def test_each_domain_has_a_label_that_is_its_alias_its_schema_and_its_role() -> None:
    assert set(settings.DOMAIN_ALIASES) == set(DOMAINS)
    for domain in DOMAINS:
        assert apps.get_app_config(domain).name == f"apps.{domain}"
        assert settings.DATABASES[domain]["USER"] == domain


def test_no_table_has_a_name_that_leaves_its_app_open() -> None:
    """SQL is searched for tables by their names, which are made of app and model: nothing may be called otherwise."""
    for model in own_models():
        assert model._meta.db_table == f"{model._meta.app_label}_{model._meta.model_name}"
