"""Sends each model to its domain's alias, and refuses what it does not know."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Model


class UnroutedQuery(Exception):
    """A query did not say which domain's database it is for."""


class DomainRouter:
    """
    A domain's models live in the alias of the same name; runtime's tables live in every alias.

    Raising is the point: where a router answers None, Django borrows the alias of some related instance in silence.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return self._alias(model)

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return self._alias(model)

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return one._meta.app_label == other._meta.app_label

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        return app_label == db or app_label in settings.RUNTIME_APPS

    def _alias(self, model: type[Model]) -> str:
        label = model._meta.app_label
        if label in settings.DOMAIN_ALIASES:
            return label
        if model._meta.app_label in settings.RUNTIME_APPS:
            raise UnroutedQuery(f"{model._meta.label} is a table of every domain: say .using(alias)")
        raise UnroutedQuery(f"{model._meta.label} belongs to no domain, so it has no database")
